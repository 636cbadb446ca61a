"""A Brain process before a stand-in of Execution, on a real bus; one fixture for all such tests.

Owns their wiring. Must never import the Brain.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from titan.execution.v1.execution_control_service_pb2 import OperatorSignature
from titan.risk.v1 import trading_state_pb2 as state_pb
from titan_mesh import keys, operator_keys
from titan_mesh.bus.connection import Bus
from titan_mesh.nats_server import NatsServer
from titan_mesh.policy_hash import load_policy
from titan_mesh.telemetry.logs import Log

from titan_testkit.brain_process import BrainProcess, until, write_settings
from titan_testkit.exec_journal import ACCOUNT, ExecJournal
from titan_testkit.exec_stand_in import ExecStandIn
from titan_testkit.ports import free_port

SECOND_NS = 1_000_000_000


@dataclass
class BrainRig:
    """One Brain process before one stand-in; the journal has its first epoch."""

    brain: BrainProcess
    execution: ExecStandIn

    @property
    def journal(self) -> ExecJournal:
        """What Execution wrote."""
        return self.execution.journal

    async def catch_up(self) -> None:
        """Publishes the whole journal and waits until it is applied."""
        await self.execution.publish(self.journal.reports)
        await self.brain.applied(len(self.journal.reports))

    async def in_state(self, state: int, *, fed: bool = True) -> None:
        """Waits for a state, with fresh snapshots unless told otherwise."""

        async def reached() -> bool:
            if fed:
                await self.execution.tell_truth()
            return (await self.brain.allocation()).state == state

        await until(reached, step_s=0.1)

    async def become_normal(self) -> None:
        """A started Brain that grants NORMAL."""
        self.brain.start()
        await self.brain.ready()
        await self.catch_up()
        await self.in_state(state_pb.TRADING_STATE_NORMAL)

        async def granted() -> bool:
            return self.execution.leases[-1].state == state_pb.TRADING_STATE_NORMAL

        await until(granted)

    def signature(
        self, operator: str, halt_epoch: int, *, key: str = "", seconds: int = 60
    ) -> OperatorSignature:
        """An operator's signature under a resume; key signs in another's name."""
        until_ns = self.execution.clock.unix_ns() + seconds * SECOND_NS
        private = keys.read_operator_private(self.brain.home, key or operator)
        text = f"titan.resume.v1|{ACCOUNT}|{halt_epoch}|{until_ns}".encode()
        return OperatorSignature(
            operator_id=operator,
            expires_at_ns=until_ns,
            signature=operator_keys.sign(private, text),
        )


@pytest.fixture
async def brain_rig(
    titan_home: Path, nats_server: NatsServer, bus: Bus, log: Log
) -> AsyncIterator[BrainRig]:
    """Not started yet, so that a test may shape the journal first."""
    policy = load_policy(titan_home / "policy" / "risk_policy.json")
    journal = ExecJournal(11, policy_hash=policy.hash, symbols=("BTCUSDT",))
    journal.start()
    execution = ExecStandIn(journal, bus, keys.read_grpc_keys(titan_home), log)
    await execution.start()
    port = free_port()
    write_settings(titan_home, nats_server, execution.endpoint, port)
    brain = BrainProcess(titan_home, port)
    yield BrainRig(brain, execution)
    await brain.close()
    await execution.stop()
