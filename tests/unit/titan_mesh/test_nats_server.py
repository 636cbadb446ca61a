"""The embedded server: ports, occupied ports, restarts."""

from __future__ import annotations

import json
import socket
import urllib.request

import pytest
from titan_mesh.errors import Conflict, TitanError
from titan_mesh.nats_server import NatsOptions, NatsServer


def varz(server):
    with urllib.request.urlopen(f"{server.monitor_url}/varz", timeout=5) as answer:
        return json.load(answer)


async def test_free_ports_are_found_and_kept_over_a_restart(nats_server):
    before = (nats_server.port, nats_server.monitor_port)
    assert all(port > 0 for port in before)
    facts = varz(nats_server)
    assert (facts["port"], facts["server_name"]) == (nats_server.port, "titan")
    nats_server.kill()
    assert not nats_server.running()
    await nats_server.start()
    assert (nats_server.port, nats_server.monitor_port) == before


async def test_sync_always_reaches_the_server(make_nats_server):
    careful = await make_nats_server(sync_always=True)
    assert varz(careful)["jetstream"]["config"].get("sync_always") is True
    quick = await make_nats_server()
    assert not varz(quick)["jetstream"]["config"].get("sync_always")


async def test_an_occupied_port_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = NatsServer(NatsOptions(folder=tmp_path, port=port))
        with pytest.raises(Conflict) as refused:
            await server.start()
    assert (refused.value.code, refused.value.value) == ("PORT_IN_USE", f"127.0.0.1:{port}")


async def test_a_server_that_cannot_start_says_why(tmp_path):
    (tmp_path / "store").write_text("no folder")
    server = NatsServer(NatsOptions(folder=tmp_path))
    with pytest.raises(TitanError) as refused:
        await server.start()
    assert refused.value.code == "NATS_START_FAILED"
    assert not server.running()


async def test_stop_ends_the_process(nats_server):
    await nats_server.stop()
    assert not nats_server.running()
    await nats_server.stop()
