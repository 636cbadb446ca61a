"""`python -m titan_execution --home DIR`: the Execution process.

Owns arguments and exit codes. Must never hold anything that runs longer than the start.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from titan_mesh.clock import SystemClock
from titan_mesh.errors import (
    Conflict,
    InstrumentError,
    KeyFileError,
    PolicyError,
    SettingError,
    TitanError,
    Unavailable,
)
from titan_mesh.ids import SystemRng
from titan_mesh.telemetry.logs import Log

EXIT_USAGE = 64
EXIT_JOURNAL = 70
EXIT_LOCKED = 73
EXIT_DEPENDENCY = 75
EXIT_POLICY = 78
PLANT_MARK = "allow-planted-bugs"

_EXITS: tuple[tuple[type[TitanError], int], ...] = (
    (SettingError, EXIT_USAGE),
    (PolicyError, EXIT_POLICY),
    (InstrumentError, EXIT_POLICY),
    (KeyFileError, EXIT_POLICY),
    (Conflict, EXIT_LOCKED),
    (Unavailable, EXIT_DEPENDENCY),
)


def exit_code_of(fault: TitanError) -> int:
    """The exit code of a fault at start."""
    if fault.code == "INSTANCE_LOCK_HELD":
        return EXIT_LOCKED
    if fault.code.startswith("JOURNAL"):
        return EXIT_JOURNAL
    for kind, code in _EXITS:
        if isinstance(fault, kind):
            return code
    return EXIT_USAGE


def main() -> int:
    """Parses arguments and serves."""
    parser = argparse.ArgumentParser(prog="python -m titan_execution", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="TITAN_HOME of the mesh")
    parser.add_argument("--plant", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    home = options.home.absolute()
    log = Log("execution", SystemClock())
    if options.plant and not (home / PLANT_MARK).exists():
        log.error("planted_bug_refused", plant=options.plant, needs=home / PLANT_MARK)
        return EXIT_USAGE
    # Imported late: a wrong argument should not cost the compiled core's start.
    from titan_execution.app import serve

    try:
        serve(home, SystemClock(), SystemRng(), log, options.plant)
    except TitanError as fault:
        log.error("start_refused", code=fault.code, fault=fault)
        return exit_code_of(fault)
    return 0


if __name__ == "__main__":
    sys.exit(main())
