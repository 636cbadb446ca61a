"""Execution started again and again: a forked, preloaded interpreter, and the kill of it.

Owns the fork server and the life of each incarnation. Must never know what Execution does: it is a
real process with its own pid, files and sockets, only its imports were paid before.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

_SERVER = """
import os, sys
import titan_execution.app  # paid once, here
from titan_execution.__main__ import main

home, log, extra = sys.argv[1], sys.argv[2], sys.argv[3:]
for line in sys.stdin.buffer:
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_RDONLY)
        out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(null, 0), os.dup2(out, 1), os.dup2(out, 2)
        sys.argv = ["titan_execution", "--home", home, *extra]
        code = 1
        try:
            code = main()
        finally:
            sys.stderr.flush()
            os._exit(code)
    sys.stdout.write(f"{pid}\\n")
    sys.stdout.flush()
    _, status = os.waitpid(pid, 0)
    sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\\n")
    sys.stdout.flush()
"""


class Incarnations:
    """One Execution at a time."""

    def __init__(self, home: Path, log: Path, *arguments: str) -> None:
        self._log = log
        self._server = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(home), str(log), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.pid = 0

    def start(self) -> None:
        """The next one; it is not ready yet."""
        assert self.pid == 0, "one at a time"
        assert self._server.stdin is not None
        self._server.stdin.write(b"start\n")
        self._server.stdin.flush()
        self.pid = self._read()

    def kill(self) -> None:
        """kill -9; returns when it is gone."""
        code = self._end(signal.SIGKILL)
        assert code == -signal.SIGKILL, f"it had ended by itself with {code}:\n{self.tail()}"

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        return self._end(signal.SIGTERM)

    def tail(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-4000:] if self._log.exists() else ""

    def close(self) -> None:
        """Ends the fork server and what it started."""
        if self.pid:
            self._end(signal.SIGKILL)
        self._server.kill()
        self._server.wait()

    def _end(self, number: signal.Signals) -> int:
        assert self.pid > 0, "nothing runs"  # 0 and below would name whole groups
        os.kill(self.pid, number)
        code = self._read()
        self.pid = 0
        return code

    def _read(self) -> int:
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        assert line, "the fork server ended"
        return int(line)
