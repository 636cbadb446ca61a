"""Exit codes of `titan`: the one list, stable for scripts. Must never be renumbered.

  0  done, and true when the command returned
  1  refused: a service or a rule said no; the error names the code
  2  usage: the command line or a setting is wrong
  3  not reachable: the mesh, or the part that was asked, does not answer
  4  check failed: the demo, `streams verify` or `policy hash --expect` found a difference
  5  start failed: a process of the mesh did not become ready, or a port was taken
  6  stopped: the supervisor gave up on a process that crashed too often
130  interrupted at the keyboard
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a shell reads in `$?`."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    UNREACHABLE = 3
    CHECK_FAILED = 4
    START_FAILED = 5
    GAVE_UP = 6
    INTERRUPTED = 130


MEANINGS: dict[Exit, str] = {
    Exit.DONE: "done, and true when the command returned",
    Exit.REFUSED: "refused: a service or a rule said no",
    Exit.USAGE: "usage: the command line or a setting is wrong",
    Exit.UNREACHABLE: "not reachable: the part that was asked does not answer",
    Exit.CHECK_FAILED: "check failed: a comparison found a difference",
    Exit.START_FAILED: "start failed: a process did not become ready, or a port was taken",
    Exit.GAVE_UP: "stopped: a process crashed more often than the policy tolerates",
    Exit.INTERRUPTED: "interrupted at the keyboard",
}

_USAGE_PREFIXES = ("SETTING_", "ARGUMENT_", "KEY_FILE_", "SOCKET_PATH_", "HOME_", "POLICY_FILE_")
_START_CODES = frozenset({"PORT_OCCUPIED", "SERVICE_NOT_READY", "SERVICE_EXITED", "MESH_RUNNING"})


def exit_for(code: str) -> Exit:
    """Exit code of a TitanError's code."""
    if code in _START_CODES:
        return Exit.START_FAILED
    if code in ("MESH_NOT_RUNNING", "SERVICE_UNREACHABLE", "UNAVAILABLE", "DEADLINE_EXCEEDED"):
        return Exit.UNREACHABLE
    if code == "RESTART_LIMIT":
        return Exit.GAVE_UP
    if code in ("CHECK_FAILED", "SPEC_DRIFT", "POLICY_HASH_DIFFERS"):
        return Exit.CHECK_FAILED
    return Exit.USAGE if code.startswith(_USAGE_PREFIXES) else Exit.REFUSED
