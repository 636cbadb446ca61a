"""The FastPath socket: made once, mode 0600, never stolen from a living server.

Owns the socket file. Must never unlink a path that somebody answers on.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from titan_mesh.errors import Conflict
from titan_mesh.settings import socket_path

BACKLOG = 64


def open_listener(path: Path) -> socket.socket:
    """Binds the path; a stale file is replaced, a living server is left alone (SOCKET_IN_USE)."""
    socket_path(path, "execution.socket")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() or path.is_symlink():
        _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError as fault:
        listener.close()
        raise _in_use(path, str(fault.strerror)) from None
    finally:
        os.umask(before)
    listener.listen(BACKLOG)
    return listener


def close_listener(listener: socket.socket, path: Path) -> None:
    """Closes and removes the file."""
    listener.close()
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def _remove_stale(path: Path) -> None:
    if not path.is_socket():
        raise _in_use(path, "a file that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError as fault:
            raise _in_use(path, str(fault.strerror)) from None
    raise _in_use(path, "a server that answers")


def _in_use(path: Path, what: str) -> Conflict:
    return Conflict(
        "SOCKET_IN_USE",
        "the FastPath socket cannot be bound",
        "execution.socket",
        path,
        f"a free path, found {what}",
        hint="Stop the other Execution, or give this one its own TITAN_HOME.",
    )
