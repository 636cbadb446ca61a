"""`run(MyStrategy)`: from a command line to an exit code.

Owns arguments, shutdown signals and the meaning of exit codes. Must never know what a phase does.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from titan_mesh.clock import SystemClock
from titan_mesh.errors import (
    InstrumentError,
    KeyFileError,
    PolicyError,
    SettingError,
    TitanError,
    Unavailable,
)
from titan_mesh.ids import SystemRng
from titan_mesh.telemetry.logs import Log, bridge_libraries

from titan_sdk.phase_process import EXIT_IO, EXIT_REFUSED, EXIT_UNAVAILABLE, PhaseProcess
from titan_sdk.strategy import Strategy

EXIT_SETTINGS = 64
EXIT_LOCKED = 73


def exit_code_of(fault: TitanError) -> int:
    """What a supervisor learns from a coded failure."""
    if fault.code == "INSTANCE_LOCK_HELD":
        return EXIT_LOCKED
    if isinstance(fault, SettingError | InstrumentError) or fault.code == "SYMBOL_UNKNOWN":
        return EXIT_SETTINGS
    if isinstance(fault, PolicyError | KeyFileError):
        return EXIT_REFUSED
    return EXIT_UNAVAILABLE if isinstance(fault, Unavailable) else EXIT_IO


async def _main(strategy_class: type[Strategy], home: Path) -> int:
    clock = SystemClock()
    log = Log(strategy_class.phase_id, clock)
    bridge_libraries(log)
    try:
        process = PhaseProcess(strategy_class, home, clock=clock, rng=SystemRng(), log=log)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, process.stop_requested.set)
        return await process.run()
    except TitanError as fault:
        log.error(
            "phase_failed", code=fault.code, message=fault.message, field=fault.field,
            value=fault.value, limit=fault.limit, hint=fault.hint,
        )  # fmt: skip
        return exit_code_of(fault)


def run(strategy_class: type[Strategy], home: Path | None = None) -> None:
    """Trade until SIGTERM, then exit: 0 stopped, 1 the strategy failed, else see docs/SDK.md."""
    if home is None:
        parser = argparse.ArgumentParser(description=(strategy_class.__doc__ or "").strip())
        parser.add_argument("--home", type=Path, default=Path(".titan"), help="TITAN_HOME")
        home = parser.parse_args().home
    sys.exit(asyncio.run(_main(strategy_class, home)))
