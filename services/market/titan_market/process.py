"""What both processes of the market side share at start and end: arguments, signals, exit codes.

Owns the way from an error to an exit code. Must never know what the process does.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from titan_mesh.errors import BusError, TitanError, Unavailable
from titan_mesh.telemetry.logs import Log, bridge_libraries

EXIT_FAILED = 1
EXIT_SETTINGS = 64
EXIT_STORAGE = 70
EXIT_LOCKED = 73
EXIT_DEPENDENCY = 75
_BY_PREFIX = (
    ("ORDER_LOG_LOCKED", EXIT_LOCKED),
    ("SOCKET_IN_USE", EXIT_LOCKED),
    ("ORDER_LOG_", EXIT_STORAGE),
    ("LOG_", EXIT_STORAGE),
    ("VENUE_UNREACHABLE", EXIT_DEPENDENCY),
    ("SETTING", EXIT_SETTINGS),
    ("SOCKET_PATH_", EXIT_SETTINGS),
    ("INSTRUMENT", EXIT_SETTINGS),
    ("DATA_", EXIT_SETTINGS),
    ("CAPTURE_", EXIT_SETTINGS),
    ("OFF_", EXIT_SETTINGS),
)


def exit_code(fault: Exception) -> int:
    """64 settings or input, 70 storage, 73 held by another, 75 a dependency is missing, else 1."""
    if isinstance(fault, Unavailable | BusError):
        return EXIT_DEPENDENCY
    if isinstance(fault, OSError):
        return EXIT_STORAGE
    code = fault.code if isinstance(fault, TitanError) else ""
    return next((number for prefix, number in _BY_PREFIX if code.startswith(prefix)), EXIT_FAILED)


def on_stop_signals(stop: Callable[[], None]) -> None:
    """SIGTERM and SIGINT ask the process to end."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def run(log: Log, main: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Runs the process; a fault is one line of the log that names its code."""
    bridge_libraries(log)
    try:
        asyncio.run(main())
    except TitanError as fault:
        log.error(
            fault.code,
            message=fault.message,
            field=fault.field,
            value=fault.value,
            limit=fault.limit,
            hint=fault.hint,
        )
        return exit_code(fault)
    except OSError as fault:
        log.fault("OS_ERROR", fault)
        return exit_code(fault)
    return 0
