"""What reaches the terminal: text, one JSON object for scripts, coded errors. Never decides."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO

from titan_mesh.errors import TitanError


class Output:
    """Writes results to stdout and progress to stderr."""

    def __init__(self, as_json: bool, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self._out = out or sys.stdout
        self._err = err or sys.stderr

    def text(self, words: str) -> None:
        """For people; silent with --json."""
        if not self.as_json:
            print(words, file=self._out, flush=True)

    def result(self, fields: Mapping[str, object]) -> None:
        """For scripts: one object on the last line; silent without --json."""
        if self.as_json:
            print(json.dumps(fields, separators=(", ", ": ")), file=self._out, flush=True)

    def progress(self, words: str) -> None:
        """What is going on, on stderr."""
        print(words, file=self._err, flush=True)

    def error(self, error: TitanError) -> None:
        """A coded error with its next step; with --json also as the object of the last line."""
        print(f"error {error.code}: {error.message}", file=self._err)
        for name in ("field", "value", "limit"):
            said = getattr(error, name)
            if said:
                print(f"  {name:<6} {said}", file=self._err)
        if error.hint:
            print(f"  next   {error.hint}", file=self._err)
        self._err.flush()
        self.result({"error": error.code, "message": error.message, "hint": error.hint})


def table(rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> str:
    """Columns padded to their widest cell."""
    lines = [tuple(header), *rows] if header else list(rows)
    if not lines:
        return ""
    widths = [max(len(row[column]) for row in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in lines
    )


def span(nanoseconds: int) -> str:
    """A duration for people."""
    if nanoseconds < 0:
        return "never" if nanoseconds == -1 else f"-{span(-nanoseconds)}"
    for unit, size in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds} ns"
