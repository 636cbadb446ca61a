"""The hand-written tree, listed once for the tidy tests. Must never look into generated code."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ("gen/", "sdk/python/titan_sdk/_pb/", "tests/contract/baseline/")
MADE = {
    ".git", ".venv", ".titan", ".cache", "build", "dist", "__pycache__", ".mypy_cache",
    ".ruff_cache", ".pytest_cache", ".import_linter_cache", ".hypothesis",
}  # fmt: skip
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
    return tuple(
        Source(ROOT / name)
        for name in sorted(_names())
        if not name.startswith(GENERATED) and (ROOT / name).is_file()
    )


def _names() -> list[str]:
    """What git would commit; in a tree without git, everything but the places of tools."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=False, capture_output=True)
    if listed.returncode == 0:
        return [name for name in listed.stdout.decode().split("\0") if name]
    return [
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*")
        if path.is_file()
        and not MADE.intersection(path.relative_to(ROOT).parts)
        and path.suffix not in (".so", ".c", ".pyc", ".html")
        and path.name != "uv.lock"
    ]


def files(*suffixes: str) -> list[Source]:
    """Tracked files with one of the suffixes."""
    found = [source for source in tracked() if source.path.suffix in suffixes]
    assert found, f"no file ends in {suffixes}: the check would pass on nothing"
    return found


@cache
def parsed(path: Path) -> ast.Module:
    """Syntax tree of a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
