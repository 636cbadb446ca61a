"""Pid files that cannot lie: each names the process and when it was born. Must never signal anyone.

A pid alone is reused by the kernel; pid and start time together are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_START_TIME_FIELD = 19


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process, for as long as the machine is up."""

    pid: int
    born_ticks: int


def born_ticks(pid: int) -> int:
    """Start time of a living process in clock ticks since boot; -1 when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return -1
    # The name may hold spaces and parentheses; the fields follow the last one.
    fields = stat.rpartition(")")[2].split()
    return -1 if fields[0] == "Z" else int(fields[_START_TIME_FIELD])


def write(path: Path, pid: int) -> None:
    """Records a living process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".new")
    partial.write_text(f"{pid} {born_ticks(pid)}\n")
    partial.replace(path)


def read_living(path: Path) -> ProcessId | None:
    """The process of a pid file when it still lives; a stale or damaged file is removed."""
    try:
        words = path.read_text().split()
    except FileNotFoundError:
        return None
    if len(words) == 2 and all(word.lstrip("-").isdigit() for word in words):
        found = ProcessId(int(words[0]), int(words[1]))
        if found.born_ticks >= 0 and born_ticks(found.pid) == found.born_ticks:
            return found
    path.unlink(missing_ok=True)
    return None


def lives(process: ProcessId) -> bool:
    """True while that very process runs."""
    return born_ticks(process.pid) == process.born_ticks
