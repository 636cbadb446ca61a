"""The hand-written tree, listed once for the tidy tests. Must never look into generated code."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ("gen/", "sdk/python/titan_sdk/_pb/", "tests/contract/baseline/")
SOURCE_ROOTS = (
    "sdk/codegen",
    "sdk/mesh",
    "sdk/python",
    "sdk/cli",
    "services/market",
    "services/execution",
    "services/brain",
    "services/phases",
)


@dataclass(frozen=True, slots=True)
class Source:
    """One hand-written file."""

    path: Path

    @property
    def name(self) -> str:
        """Path from the root, as people say it."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        """Its text."""
        return self.path.read_text(encoding="utf-8")

    @property
    def is_product(self) -> bool:
        """True for what ships: neither test nor bench."""
        return self.name.startswith(SOURCE_ROOTS)


@cache
def tracked() -> tuple[Source, ...]:
    """Every file that is or would be committed, generated ones left out."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    names = sorted(name for name in listed.split("\0") if name)
    return tuple(
        Source(ROOT / name)
        for name in names
        if not name.startswith(GENERATED) and (ROOT / name).is_file()
    )


def files(*suffixes: str) -> list[Source]:
    """Tracked files with one of the suffixes."""
    found = [source for source in tracked() if source.path.suffix in suffixes]
    assert found, f"no file ends in {suffixes}: the check would pass on nothing"
    return found


@cache
def parsed(path: Path) -> ast.Module:
    """Syntax tree of a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
