"""The parts of a running Brain, put together.

Owns construction: who is given what. Must never start a task or open a connection itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import grpc
from titan import topology
from titan.brain.v1.brain_service_pb2_grpc import add_BrainServiceServicer_to_server
from titan.brain.v1.operator_service_pb2_grpc import add_OperatorServiceServicer_to_server
from titan.execution.v1.execution_report_pb2 import ExecutionReport
from titan.execution.v1.prepare_verdict_pb2 import PrepareVerdict
from titan_mesh import keys
from titan_mesh.bus.connection import Bus
from titan_mesh.bus.consumer import DurableConsumer
from titan_mesh.bus.dead_letter import DeadLetters
from titan_mesh.bus.publisher import Publisher
from titan_mesh.clock import Clock
from titan_mesh.errors import PolicyError
from titan_mesh.ids import IdSource, Rng
from titan_mesh.instruments import Instrument, load_instruments
from titan_mesh.policy_hash import Policy, load_policy
from titan_mesh.rpc.server import RpcServer
from titan_mesh.settings import MeshSettings, Settings
from titan_mesh.telemetry.logs import Log

from titan_brain.config import BrainSettings, execution_endpoint
from titan_brain.consumers.execution_report import ReportIntake
from titan_brain.consumers.prepare_verdict import VerdictIntake
from titan_brain.consumers.truth_snapshot import SnapshotIntake
from titan_brain.edge import Edge
from titan_brain.leases.announcer import Announcer
from titan_brain.leases.governor import Governor, Stores
from titan_brain.leases.issuer import Issuer
from titan_brain.leases.notes import Notes
from titan_brain.leases.progress import Progress
from titan_brain.ledger.fold import Grid
from titan_brain.risk.terms import Terms, terms_of
from titan_brain.rpc.brain_service import BrainService
from titan_brain.rpc.operator_service import OperatorService
from titan_brain.store.brain_state import BrainState, Kept
from titan_brain.store.database import Database
from titan_brain.store.explanations import Explanations
from titan_brain.store.ledger import Ledger
from titan_brain.store.pictures import Pictures
from titan_brain.store.records import Records

# Half of what the contract lets out unacknowledged, so that the next batch is under way.
REPORTS_PER_FETCH = topology.BRAIN_ON_EXECUTION_REPORT.max_ack_pending // 2


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is read before anything is opened."""

    settings: Settings
    mesh: MeshSettings
    own: BrainSettings
    execution: str
    policy: Policy
    terms: Terms
    instruments: Mapping[str, Instrument]
    grid: Grid
    clock: Clock
    rng: Rng
    log: Log


def read_facts(settings: Settings, clock: Clock, rng: Rng, log: Log) -> Facts:
    """Settings, policy and instruments, checked against each other."""
    mesh = settings.mesh()
    policy, instruments = load_policy(mesh.policy), load_instruments(mesh.instruments)
    for row in policy.pb.instruments:
        if row.symbol not in instruments:
            raise PolicyError(
                "POLICY_INSTRUMENT_UNKNOWN",
                "the policy lists an instrument without a specification",
                "policy.instruments.symbol",
                row.symbol,
                ", ".join(instruments),
            )
    if policy.pb.account.account != mesh.account:
        raise PolicyError(
            "POLICY_ACCOUNT_OTHER",
            "the policy is for another account",
            "policy.account.account",
            policy.pb.account.account,
            mesh.account,
        )
    per_tick_lot = {
        symbol: instrument.spec.notional_nanos_per_tick_lot
        for symbol, instrument in instruments.items()
    }
    return Facts(
        settings=settings,
        mesh=mesh,
        own=settings.section("brain", BrainSettings),
        execution=str(execution_endpoint(settings)),
        policy=policy,
        terms=terms_of(policy.pb, policy.hash),
        instruments=instruments,
        grid=Grid(mesh.account, mesh.venue, per_tick_lot),
        clock=clock,
        rng=rng,
        log=log,
    )


@dataclass(slots=True)
class Core:
    """What decides and what it decides with."""

    edge: Edge
    records: Records
    pictures: Pictures
    announcer: Announcer
    issuer: Issuer
    governor: Governor
    progress: Progress
    ledger: Ledger
    intake: ReportIntake


@dataclass(slots=True)
class Parts:
    """What lives while the Brain runs."""

    core: Core
    server: RpcServer
    snapshots: SnapshotIntake
    reports: DurableConsumer[ExecutionReport]
    verdicts: DurableConsumer[PrepareVerdict]


def assemble(
    facts: Facts, database: Database, kept: Kept, bus: Bus, channel: grpc.aio.Channel
) -> Parts:
    """One Brain around an open database, bus and channel."""
    publisher = Publisher(bus)
    core = _core(facts, database, kept, publisher, channel)
    ids = IdSource(facts.clock, facts.rng)
    return Parts(
        core=core,
        server=_server(facts, core, Explanations(database)),
        snapshots=SnapshotIntake(facts.mesh.account, core.governor, core.progress, facts.clock),
        reports=DurableConsumer(
            bus,
            topology.BRAIN_ON_EXECUTION_REPORT,
            core.intake.handle,
            clock=facts.clock,
            on_poison=core.intake.on_poison,
            batch=REPORTS_PER_FETCH,
        ),
        verdicts=DurableConsumer(
            bus,
            topology.BRAIN_ON_PREPARE_VERDICT,
            VerdictIntake(core.records).handle,
            clock=facts.clock,
            dead_letters=DeadLetters(publisher, facts.policy.hash, ids, facts.clock),
        ),
    )


def _core(
    facts: Facts,
    database: Database,
    kept: Kept,
    publisher: Publisher,
    channel: grpc.aio.Channel,
) -> Core:
    account, clock, log = facts.mesh.account, facts.clock, facts.log
    records, pictures = Records(database), Pictures(database, account)
    edge, announcer = Edge(channel, account), Announcer(publisher, log)
    issuer = Issuer(
        account=account,
        terms=facts.terms,
        brain_epoch=kept.brain_epoch,
        edge=edge,
        records=records,
        announcer=announcer,
        clock=clock,
        log=log,
    )
    governor = Governor(
        kept=kept,
        terms=facts.terms,
        grid=facts.grid,
        stores=Stores(pictures, records, BrainState(database, account)),
        edge=edge,
        issuer=issuer,
        announcer=announcer,
        notes=Notes(account, facts.policy.hash, clock, IdSource(clock, facts.rng)),
        log=log,
    )
    progress, ledger = Progress(), Ledger(database, facts.grid)
    intake = ReportIntake(ledger, edge, progress, governor, log)
    return Core(edge, records, pictures, announcer, issuer, governor, progress, ledger, intake)


def _server(facts: Facts, core: Core, explanations: Explanations) -> RpcServer:
    home = facts.settings.home
    traced = bool(facts.settings.telemetry().otlp_endpoint)
    server = RpcServer(facts.own.grpc, keys.read_grpc_keys(home), facts.log, traced=traced)
    server.add(
        add_BrainServiceServicer_to_server,
        BrainService(
            grid=facts.grid,
            terms=facts.terms,
            instruments={name: item.spec for name, item in facts.instruments.items()},
            governor=core.governor,
            issuer=core.issuer,
            pictures=core.pictures,
            explanations=explanations,
        ),
        "titan.brain.v1.BrainService",
    )
    server.add(
        add_OperatorServiceServicer_to_server,
        OperatorService(
            account=facts.mesh.account,
            governor=core.governor,
            edge=core.edge,
            intake=core.intake,
            publics=keys.read_operator_publics(home),
            clock=facts.clock,
        ),
        "titan.brain.v1.OperatorService",
    )
    return server
