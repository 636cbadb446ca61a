"""From a logged intent to its outcome: faults at every step, restarts, other policies, cancels."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from titan_mesh.clock import ManualClock
from titan_mesh.fastpath.backoff import Backoff
from titan_mesh.ids import SeededRng
from titan_sdk._pb import hot
from titan_sdk._pb.titan.trading.v1 import IntentSignal
from titan_sdk.intent import Identity
from titan_sdk.orders import Accepted, Rejected
from titan_sdk.submit.intent_log import IntentLog, LoggedIntent
from titan_sdk.submit.submission import Submissions
from titan_sdk.vocabulary import RejectReason
from unit.titan_sdk.execution_twin import ACCOUNT, POLICY, Results, Twin

_S = 1_000_000_000
TTL_NS = 2 * _S


@dataclass
class World:
    clock: ManualClock
    path: Path
    twin: Twin
    results: Results
    log: IntentLog
    submissions: Submissions

    def intent(self, number: int, ttl_ns: int = TTL_NS) -> LoggedIntent:
        intent_id = number.to_bytes(16, "big")
        expires = self.clock.boottime_ns() + ttl_ns
        signal = IntentSignal(
            intent_id=intent_id, policy_hash=POLICY, expires_at_boottime_ns=expires
        )
        return LoggedIntent(intent_id, expires, hot.encode_intent_signal(signal))

    def settle(self, rounds: int = 40) -> None:
        for _ in range(rounds):
            self.submissions.pump()
            self.clock.advance(self.submissions.wait_ns(_S // 10) + 1_000_000)

    def restart(self, *, cancel: bool) -> None:
        self.submissions.close()
        self.results = Results()
        self.log = IntentLog(self.path)
        self.submissions = build(self.twin, self.log, self.clock, self.results, cancel=cancel)


def build(
    twin: Twin, log: IntentLog, clock: ManualClock, results: Results, *, cancel: bool = True
) -> Submissions:
    return Submissions(
        twin,
        log,
        Identity("scavenger", ACCOUNT, POLICY),
        clock=clock,
        backoff=Backoff(SeededRng(1), initial_ns=100_000_000),
        sink=results,
        cancel_inherited=cancel,
    )


@pytest.fixture
def world(tmp_path: Path):
    clock, path = ManualClock(), tmp_path / "intents.log"
    twin, results, log = Twin(clock, path), Results(), IntentLog(path)
    made = World(clock, path, twin, results, log, build(twin, log, clock, results))
    yield made
    made.submissions.close()


def test_a_batch_is_logged_prepared_and_confirmed(world: World) -> None:
    batch = [world.intent(number) for number in range(1, 4)]
    world.submissions.add(batch)
    world.submissions.pump()
    assert world.results.accepted() == {item.intent_id for item in batch}
    assert world.twin.confirms == [item.intent_id for item in batch]
    assert world.submissions.idle
    stamps = world.results.stamps[batch[0].intent_id]
    assert 0 < stamps.logged_ns <= stamps.prepared_ns <= stamps.accepted_ns


def test_a_denial_is_data(world: World) -> None:
    item = world.intent(1)
    world.twin.deny[item.intent_id] = RejectReason.PRICE_COLLAR
    world.submissions.add([item])
    world.submissions.pump()
    denied = world.results.outcomes[item.intent_id]
    assert isinstance(denied, Rejected)
    assert (denied.reason, denied.value, denied.limit) == (RejectReason.PRICE_COLLAR, 7, 5)
    assert not denied.local
    assert str(denied) == "PRICE_COLLAR: value 7, limit 5"


@pytest.mark.parametrize("what", ["lost", "done"])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_link_that_breaks_anywhere_loses_and_doubles_nothing(
    world: World, what: str, number: int
) -> None:
    """1 and 2 are PREPAREs, 3 and 4 CONFIRMs; lost = before the server acts, done = after."""
    world.twin.fault = lambda request: what if request == number else ""
    batch = [world.intent(1), world.intent(2)]
    world.submissions.add(batch)
    world.settle()
    assert world.results.accepted() == {item.intent_id for item in batch}
    assert sorted(world.twin.confirms) == sorted(item.intent_id for item in batch)
    assert world.twin.asked, "STATUS must follow a doubt"
    assert world.twin.opens == 2


def test_a_confirmed_intent_whose_answer_was_lost_is_not_sent_again(world: World) -> None:
    world.twin.fault = lambda request: "done" if request == 2 else ""
    item = world.intent(1)
    world.submissions.add([item])
    world.settle()
    outcome = world.results.outcomes[item.intent_id]
    assert outcome == Accepted(1, "")
    assert world.twin.requests == 3  # PREPARE, CONFIRM, STATUS


def test_a_lost_reservation_is_prepared_again_with_the_same_bytes(world: World) -> None:
    """Execution restarts between PREPARE and CONFIRM."""
    item = world.intent(1)

    def crash(request: int) -> str:
        if request == 2:
            world.twin.restart()
            return "lost"
        return ""

    world.twin.fault = crash
    world.submissions.add([item])
    world.settle()
    assert world.results.accepted() == {item.intent_id}
    assert world.twin.prepared[item.intent_id] == item.payload


def test_an_intent_that_outlives_its_ttl_unsent_expires(world: World) -> None:
    world.twin.up = False
    item = world.intent(1)
    world.submissions.add([item])
    world.settle(80)
    denied = world.results.outcomes[item.intent_id]
    assert isinstance(denied, Rejected)
    assert (denied.reason, denied.local) == (RejectReason.INTENT_EXPIRED, True)
    world.twin.up = True
    world.settle(400)
    assert world.submissions.connected
    assert not world.twin.confirms


def test_an_intent_in_doubt_waits_for_evidence_even_after_its_ttl(world: World) -> None:
    """The CONFIRM went out and the server vanished: expiry alone proves nothing."""
    item = world.intent(1)

    def vanish(request: int) -> str:
        world.twin.up = request < 2
        return "done" if request == 2 else ""

    world.twin.fault = vanish
    world.submissions.add([item])
    world.submissions.pump()
    world.twin.confirmed[item.intent_id] = 9
    world.twin.up = False
    world.settle(100)
    assert world.results.outcomes == {}
    world.twin.up, world.twin.fault = True, lambda request: ""
    world.settle(400)
    assert world.results.outcomes == {item.intent_id: Accepted(9, "")}


def test_reconnects_back_off(world: World) -> None:
    world.twin.up = False
    world.submissions.pump()
    opens = world.twin.opens
    for _ in range(100):
        world.clock.advance(100_000_000)
        world.submissions.pump()
    assert 4 <= world.twin.opens - opens <= 12, "10 s: 0.1 s doubling, with jitter"
    assert world.results.links[-1] == (False, "CONNECT_FAILED: no listener")


def test_another_policy_in_force_refuses_to_trade(world: World) -> None:
    world.twin.policy_hash = bytes(32)
    item = world.intent(1)
    world.submissions.add([item])
    world.submissions.pump()
    denied = world.results.outcomes[item.intent_id]
    assert isinstance(denied, Rejected)
    assert (denied.reason, denied.field, denied.local) == (
        RejectReason.POLICY_HASH_MISMATCH,
        "policy_hash",
        True,
    )
    assert world.twin.requests == 0
    assert "POLICY_HASH_MISMATCH" in world.submissions.refused_detail


def test_another_account_refuses_to_trade(world: World) -> None:
    world.twin.account = "live-main"
    world.submissions.add([world.intent(1)])
    world.submissions.pump()
    (denied,) = world.results.outcomes.values()
    assert isinstance(denied, Rejected)
    assert denied.reason is RejectReason.UNKNOWN_ACCOUNT


def test_a_cancel_waits_for_its_intent_and_survives_a_lost_link(world: World) -> None:
    item = world.intent(1)
    world.twin.fault = lambda request: "lost" if request == 3 else ""
    world.submissions.add([item])
    world.submissions.add_cancel(item.intent_id)
    world.settle()
    assert world.twin.cancelled == [item.intent_id]
    world.submissions.add_closed(item.intent_id)
    world.submissions.add_cancel(item.intent_id)
    world.settle()
    assert world.twin.cancelled == [item.intent_id]


def test_a_dead_server_is_noticed_by_a_ping(world: World) -> None:
    world.submissions.pump()
    assert world.submissions.connected
    world.twin.up = False
    world.submissions.ping()
    assert not world.submissions.connected
    world.submissions.ping()  # harmless without a link


@pytest.mark.parametrize("cancel", [True, False])
def test_a_restarted_phase_asks_about_every_open_intent(world: World, cancel: bool) -> None:
    """Accepted and working; confirmed, answer lost; prepared only; never sent; ended."""
    accepted, confirmed, prepared, logged, ended = (world.intent(n) for n in range(1, 6))
    world.submissions.add([accepted, ended])
    world.submissions.pump()
    world.submissions.add_closed(ended.intent_id)
    world.twin.fault = lambda request: "lost"
    world.submissions.add([confirmed, prepared, logged])
    world.submissions.pump()
    world.twin.confirmed[confirmed.intent_id] = 7
    world.twin.prepared[prepared.intent_id] = prepared.payload
    world.twin.fault = lambda request: ""
    world.restart(cancel=cancel)
    world.settle()
    assert set(world.twin.asked) == {i.intent_id for i in (accepted, confirmed, prepared, logged)}
    assert world.results.accepted() == {accepted.intent_id, confirmed.intent_id}
    assert world.twin.aborted == [prepared.intent_id]
    assert logged.intent_id not in world.twin.prepared, "nobody would watch it"
    working = [accepted.intent_id, confirmed.intent_id]
    assert sorted(world.twin.cancelled) == (working if cancel else [])
    asked = len(world.twin.asked)
    world.restart(cancel=False)
    world.settle()
    assert sorted(world.twin.asked[asked:]) == working, "the others have their end in the log"


@pytest.mark.parametrize("seed", range(30))
def test_random_faults_never_lose_or_double(world: World, seed: int) -> None:
    rng = Random(seed)

    def fault(request: int) -> str:
        roll = rng.random()
        if roll < 0.05:
            world.twin.restart()
            return "lost"
        return "lost" if roll < 0.15 else "done" if roll < 0.25 else ""

    world.twin.fault = fault
    made: list[bytes] = []
    for number in range(1, 60):
        item = world.intent(number, ttl_ns=rng.choice([_S // 2, 60 * _S]))
        made.append(item.intent_id)
        world.submissions.add([item])
        world.submissions.pump()
        world.clock.advance(rng.randrange(_S // 5))
    world.twin.fault = lambda request: ""
    world.settle(400)
    assert world.submissions.unresolved == 0
    assert set(world.results.outcomes) == set(made)
    assert world.results.accepted() == set(world.twin.confirmed)
    assert len(world.twin.confirms) == len(set(world.twin.confirms))
    assert len(world.results.accepted()) > 20
