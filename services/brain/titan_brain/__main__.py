"""`python -m titan_brain --home DIR`: the Brain as a process.

Owns the command line and the exit codes. Must never decide anything else.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from titan_mesh.clock import SystemClock
from titan_mesh.errors import (
    Conflict,
    InstrumentError,
    KeyFileError,
    PolicyError,
    SettingError,
    SpecDrift,
    TitanError,
    Unavailable,
)
from titan_mesh.ids import SystemRng
from titan_mesh.settings import read_settings
from titan_mesh.telemetry.logs import Log, bridge_libraries

from titan_brain.app import Brain
from titan_brain.parts import Facts, read_facts
from titan_brain.store.database import DatabaseError

EXIT_SETTINGS = 64
EXIT_DATABASE = 70
EXIT_LOCK = 73
EXIT_DEPENDENCY = 75
EXIT_REFUSED = 78

_EXITS: tuple[tuple[type[TitanError], int], ...] = (
    (SettingError, EXIT_SETTINGS),
    (DatabaseError, EXIT_DATABASE),
    (Unavailable, EXIT_DEPENDENCY),
    (SpecDrift, EXIT_REFUSED),
    (PolicyError, EXIT_REFUSED),
    (InstrumentError, EXIT_REFUSED),
    (KeyFileError, EXIT_REFUSED),
)


def exit_code(fault: TitanError) -> int:
    """What the process ends with for a fault."""
    if isinstance(fault, Conflict):
        return EXIT_LOCK if fault.code == "INSTANCE_LOCK_HELD" else EXIT_SETTINGS
    return next((code for kind, code in _EXITS if isinstance(fault, kind)), 1)


def main(arguments: list[str] | None = None) -> int:
    """Runs until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m titan_brain", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="TITAN_HOME of the mesh")
    options = parser.parse_args(arguments)
    clock = SystemClock()
    log = Log("brain", clock)
    bridge_libraries(log)
    try:
        facts = read_facts(read_settings(options.home), clock, SystemRng(), log)
        asyncio.run(_live(facts))
    except TitanError as fault:
        log.error("ended", fault=str(fault))
        return exit_code(fault)
    return 0


async def _live(facts: Facts) -> None:
    await Brain(facts).run()


if __name__ == "__main__":
    sys.exit(main())
