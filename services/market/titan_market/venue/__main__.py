"""`python -m titan_market.venue --home DIR`: the paper venue as a process.

Owns start and end: settings, instruments, log recovery, socket, ready file. Must never decide
about an order.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
from pathlib import Path

from titan_mesh.clock import SystemClock
from titan_mesh.settings import read_settings
from titan_mesh.telemetry.logs import Log

from titan_market.instruments import load_specs
from titan_market.process import on_stop_signals, run
from titan_market.settings import VenueSettings
from titan_market.venue.engine import VenueEngine
from titan_market.venue.faults import LatencyModel
from titan_market.venue.ledger import Ledger
from titan_market.venue.orderlog import OrderLog
from titan_market.venue.server import VenueServer

_NS_PER_US = 1_000


def build(home: Path, log: Log) -> VenueServer:
    """A server whose state is what the order log says."""
    settings = read_settings(home)
    mesh = settings.mesh()
    venue = settings.section("venue", VenueSettings)
    venue.check()
    specs = {
        s: spec for s, spec in load_specs(mesh.instruments).items() if spec.venue == mesh.venue
    }
    order_log = OrderLog(venue.order_log, venue.sync)
    ledger = Ledger()
    for entry in order_log.recover():
        ledger.apply(entry)
    if order_log.torn_bytes:
        log.warn("torn_tail_cut", file=venue.order_log, bytes=order_log.torn_bytes)
    latency = LatencyModel(venue.ack_delay_us * _NS_PER_US, venue.jitter_us * _NS_PER_US)
    engine = VenueEngine(specs, ledger, order_log, latency, random.Random(venue.seed))
    return VenueServer(engine, order_log, SystemClock(), venue.socket)


async def serve(home: Path, log: Log) -> None:
    """Serves until a stop signal; the ready file holds the pid while the socket listens."""
    stop = asyncio.Event()
    on_stop_signals(stop.set)
    server = build(home, log)
    await server.start()
    ready = home / "run" / "venue.ready"
    ready.write_text(f"{os.getpid()}\n", encoding="utf-8")
    log.info("ready", epoch=server.epoch, orders=server.orders)
    try:
        await server.run(stop)
    finally:
        ready.unlink(missing_ok=True)
        await server.stop()
        log.info("stopped")


def main() -> int:
    """Parses arguments and serves."""
    parser = argparse.ArgumentParser(prog="python -m titan_market.venue", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="TITAN_HOME of the mesh")
    home = parser.parse_args().home.absolute()
    log = Log("venue", SystemClock())
    return run(log, lambda: serve(home, log))


if __name__ == "__main__":
    sys.exit(main())
