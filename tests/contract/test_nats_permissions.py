"""The generated permissions on a real nats-server: each participant does its own work, no more."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import nats
import pytest
from contract.values import REPOSITORY
from nats.aio.client import Client
from nats.aio.msg import Msg
from titan import topology
from titan.topology_types import Stream
from titan_mesh.bus.limits import API_TIMEOUT_S

SERVER = pathlib.Path(sys.executable).parent / "nats-server"
USERS = [*topology.PARTICIPANTS, "provisioner"]


def write_config(folder: pathlib.Path) -> pathlib.Path:
    """A server configuration that includes the generated file."""
    config = folder / "nats.conf"
    included = os.path.relpath(REPOSITORY / "gen/nats/permissions.conf", folder)
    config.write_text(
        'listen: "127.0.0.1:-1"\n'
        f'jetstream {{\n store_dir: "{folder}/js"\n max_mem: 1GB\n max_file: 16GB\n}}\n'
        f'include "{included}"\n'
    )
    return config


@pytest.fixture
async def url(tmp_path: pathlib.Path) -> AsyncIterator[str]:
    """A running server that includes the generated file."""
    passwords = {f"TITAN_NATS_{name.upper()}": f"pw-{name}" for name in USERS}
    server = await asyncio.create_subprocess_exec(
        *(str(SERVER), "-c", str(write_config(tmp_path))),
        env={**os.environ, **passwords},
        stderr=asyncio.subprocess.PIPE,
    )
    assert server.stderr is not None
    address = b""
    while b"Server is ready" not in (line := await server.stderr.readline()):
        assert line, "nats-server refused the generated file"
        if b"client connections on " in line:
            address = line.split()[-1]
    yield f"nats://{address.decode()}"
    server.kill()
    await server.communicate()


class User:
    """One connection, with the refusals that the server sent it."""

    def __init__(self, client: Client, refusals: list[str]) -> None:
        self.client = client
        self.refusals = refusals

    async def api(self, request: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        payload = json.dumps(body).encode() if body else b""
        answer = await self.client.request(f"$JS.API.{request}", payload, timeout=API_TIMEOUT_S)
        return dict(json.loads(answer.data))

    async def next_message(self, request: str) -> Msg:
        """The next message of a pull consumer; it arrives under its own subject."""
        inbox = self.client.new_inbox()
        heard = await self.client.subscribe(inbox)
        await self.client.publish(request, b"1", reply=inbox)
        return await heard.next_msg(timeout=API_TIMEOUT_S)

    async def refused(self, subject: str) -> bool:
        """True when the server forbids publishing there; it says so before it answers INFO."""
        before = len(self.refusals)
        await self.client.publish(subject, b"")
        await self.api("INFO")
        return len(self.refusals) > before


@pytest.fixture
async def users(url: str) -> AsyncIterator[dict[str, User]]:
    found = {}
    for name in USERS:
        refusals: list[str] = []

        async def heard(error: Exception, into: list[str] = refusals) -> None:
            into.append(str(error))

        client = await nats.connect(
            url, user=name, password=f"pw-{name}", error_cb=heard, allow_reconnect=False
        )
        found[name] = User(client, refusals)
    await asyncio.gather(*(_provision(found["provisioner"], s) for s in topology.STREAMS.values()))
    yield found
    for user in found.values():
        await user.client.close()


async def _provision(provisioner: User, stream: Stream) -> None:
    config = {"name": stream.name, "subjects": stream.subjects, "storage": stream.storage}
    assert "error" not in await provisioner.api(f"STREAM.CREATE.{stream.name}", config)
    for consumers in topology.CONSUMERS.values():
        for consumer in consumers:
            if consumer.durable and consumer.event.stream is stream:
                body = {
                    "stream_name": stream.name,
                    "config": {"durable_name": consumer.durable, "ack_policy": "explicit"},
                }
                request = f"CONSUMER.CREATE.{stream.name}.{consumer.durable}"
                assert "error" not in await provisioner.api(request, body)


async def test_who_may_publish_what(users: dict[str, User]):
    for name, participant in topology.PARTICIPANTS.items():
        for event in topology.EVENTS.values():
            subject = event.wildcard.replace("*", "x")
            refused = await users[name].refused(subject)
            assert refused == (event.full_name not in participant.publishes), (name, subject)
    for event in topology.EVENTS.values():
        assert await users["provisioner"].refused(event.wildcard.replace("*", "x"))


async def test_only_the_provisioner_changes_streams_and_durables(users: dict[str, User]):
    verbs = ["STREAM.CREATE", "STREAM.UPDATE", "STREAM.DELETE", "STREAM.PURGE"]
    durable = topology.BRAIN_ON_EXECUTION_REPORT
    stream = durable.event.stream.name
    for name in topology.PARTICIPANTS:
        for verb in verbs:
            assert await users[name].refused(f"$JS.API.{verb}.{stream}"), (name, verb)
        for request in (
            f"CONSUMER.DELETE.{stream}.{durable.durable}",
            f"CONSUMER.CREATE.{stream}.{durable.durable}",
            f"CONSUMER.DURABLE.CREATE.{stream}.{durable.durable}",
        ):
            assert await users[name].refused(f"$JS.API.{request}"), (name, request)


async def test_a_durable_serves_its_owner_alone(users: dict[str, User]):
    report = topology.EXECUTION_REPORT
    await users["execution"].client.publish(report.filter(account="paper"), b"fill")
    await users["execution"].api("INFO")
    durable = topology.BRAIN_ON_EXECUTION_REPORT
    request = f"$JS.API.CONSUMER.MSG.NEXT.{report.stream.name}.{durable.durable}"
    brain = users["brain"]
    info = await brain.api(f"CONSUMER.INFO.{report.stream.name}.{durable.durable}")
    assert info["name"] == durable.durable
    message = await brain.next_message(request)
    assert message.data == b"fill"
    assert not await brain.refused(message.reply)
    for name in ("phase", "feed", "quant", "execution"):
        assert await users[name].refused(request), name
        assert await users[name].refused(message.reply), name


async def test_an_ephemeral_reader_reads_and_cannot_pose_as_a_durable(users: dict[str, User]):
    report = topology.EXECUTION_REPORT
    stream = report.stream.name
    await users["execution"].client.publish(report.filter(account="paper"), b"fill")
    await users["execution"].api("INFO")
    body: dict[str, Any] = {
        "stream_name": stream,
        "config": {"ack_policy": "none", "filter_subject": report.wildcard},
        "action": "create",
    }
    phase = users["phase"]
    made = await phase.api(f"CONSUMER.CREATE.{stream}", body)
    request = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{made['name']}"
    assert (await phase.next_message(request)).data == b"fill"
    body["config"]["durable_name"] = topology.BRAIN_ON_EXECUTION_REPORT.durable
    assert "error" in await phase.api(f"CONSUMER.CREATE.{stream}", body)
    assert not phase.refusals, "everything here is the phase's ordinary work"


async def test_the_dead_letter_keeper_replays_and_nobody_else(users: dict[str, User]):
    subject = topology.BRAIN_ON_PREPARE_VERDICT.replay_subject
    for name in topology.PARTICIPANTS:
        assert await users[name].refused(subject) == (name != "brain"), name


async def test_a_wrong_password_is_refused(url: str):
    with pytest.raises(nats.errors.Error):
        await nats.connect(url, user="brain", password="guess", allow_reconnect=False)


def test_a_missing_password_stops_the_server(tmp_path: pathlib.Path):
    bare = {k: v for k, v in os.environ.items() if not k.startswith("TITAN_NATS_")}
    done = subprocess.run(
        [str(SERVER), "-t", "-c", str(write_config(tmp_path))],
        env=bare,
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0
