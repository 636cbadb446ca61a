"""What both processes of the market side share at start and end: arguments, signals, exit codes.

Owns the way from an error to an exit code. Must never know what the process does.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from titan_mesh.errors import InstrumentError, SettingError, TitanError

EXIT_FAILED = 1
EXIT_STORAGE = 70
EXIT_SETTINGS = 78
_STORAGE_PREFIXES = ("ORDER_LOG_", "LOG_")
_INPUT_CODES = ("DATA_", "CAPTURE_", "OFF_", "SOCKET_PATH_")


def exit_code(fault: Exception) -> int:
    """78: settings or input, no restart heals it; 70: storage; 1: anything else."""
    if isinstance(fault, OSError):
        return EXIT_STORAGE
    code = fault.code if isinstance(fault, TitanError) else ""
    if isinstance(fault, SettingError | InstrumentError) or code.startswith(_INPUT_CODES):
        return EXIT_SETTINGS
    return EXIT_STORAGE if code.startswith(_STORAGE_PREFIXES) else EXIT_FAILED


def on_stop_signals(stop: Callable[[], None]) -> None:
    """SIGTERM and SIGINT ask the process to end."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def run(name: str, main: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Runs the process; a fault is one line that names its code."""
    try:
        asyncio.run(main())
    except (TitanError, OSError) as fault:
        print(f"{name}: {fault}", file=sys.stderr, flush=True)
        return exit_code(fault)
    return 0
