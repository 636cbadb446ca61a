"""kill -9 at random instants under load: every promise is kept, nothing is sent twice."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
from titan.brain.v1 import brain_service_pb2
from titan_testkit.kill_rig import ACCEPTED_MIN, Broken, KillRig
from titan_testkit.mesh import until
from titan_testkit.paper import SYMBOL

KILLS = int(os.environ.get("TITAN_KILLS", "200"))
PLANTED_KILLS = 12


@pytest.fixture
def rig_of():
    rigs, folders = [], []

    def make(seed, plant=""):
        folder = Path(tempfile.mkdtemp(prefix="k-"))
        folders.append(folder)
        rigs.append(KillRig(folder / "h", seed, plant))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()
    for folder in folders:
        shutil.rmtree(folder)


def brain_fold(database):
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return connection.execute(
            "SELECT sum(position_lots), sum(cash_nanos), sum(fee_nanos) FROM positions"
            " WHERE symbol = ?",
            (SYMBOL,),
        ).fetchone()


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_two_hundred_kills_lose_nothing_and_double_nothing(rig_of):
    rig = rig_of(seed=20261121)
    rig.open(bus=True)
    for number in range(KILLS):
        rig.live_and_die(number)
        if number % 10 == 0:
            rig.die_young()  # recovery itself is killed, too
    rig.settle()
    fold = rig.audit()

    assert min(rig.accepted) >= ACCEPTED_MIN
    assert rig.kills_inside_an_order() >= KILLS // 2
    position = rig.edge.position()
    assert (position.position_lots, position.cash_nanos, position.fee_nanos) == (
        fold.position_lots,
        fold.cash_nanos,
        fold.fee_nanos,
    )

    rig.mesh.start("brain")
    durable_lsn = rig.edge.describe().durable_lsn
    until("the Brain has applied every report", lambda: applied_lsn(rig) >= durable_lsn, 60)
    assert brain_fold(rig.root / "brain.db") == (
        fold.position_lots,
        fold.cash_nanos,
        fold.fee_nanos,
    )


def applied_lsn(rig):
    return rig.edge.call(
        rig.edge.brain.GetAllocation, brain_service_pb2.GetAllocationRequest()
    ).applied_lsn


def live_and_audit(rig):
    for number in range(PLANTED_KILLS):
        rig.live_and_die(number)
        rig.audit_promises()
    rig.settle()
    rig.audit()


@pytest.mark.e2e
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("plant", "finding"),
    [
        ("ack_before_write", "ACCEPTED but not in the journal"),
        ("resend_at_recovery", "sent more than once"),
    ],
)
def test_a_planted_bug_is_found(rig_of, plant, finding):
    rig = rig_of(seed=7, plant=plant)
    rig.open(bus=False)
    with pytest.raises(Broken, match=finding):
        live_and_audit(rig)
