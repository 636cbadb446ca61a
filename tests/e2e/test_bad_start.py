"""Faults at start: settings, journal, ports, sockets, policy. Each is named; nothing is lost."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from contract.reference import journal as reference
from titan.execution.v1 import execution_control_service_pb2 as control_pb2
from titan.fastpath.v1 import frames_pb2 as frames
from titan.trading.v1 import reject_reason_pb2
from titan_mesh.errors import TitanError
from titan_mesh.policy_hash import load_policy
from titan_testkit.edge import Edge
from titan_testkit.mesh import Ended

pytestmark = pytest.mark.e2e
# Cut inside the record's header, behind a byte that is not zero.
HALF = 25
SETTINGS, JOURNAL, LOCKED, POLICY = 64, 70, 73, 78
MISMATCH = reject_reason_pb2.REJECT_REASON_POLICY_HASH_MISMATCH


@pytest.fixture(scope="module")
def edge(make_edge) -> Edge:
    """Bus and venue; Execution has traded and was killed."""
    made = make_edge(execution__segment_bytes=1 << 20)
    made.mesh.start("nats", "venue", "execution")
    made.trade()
    made.mesh.kill("execution")
    return made


def refused(edge: Edge, service: str, exit_code: int, *words: str) -> Ended:
    """The service ends by itself, with that exit code and those words on the way."""
    ended = edge.mesh.runs_to_its_end(service)
    assert ended.code == exit_code, ended.log
    for word in words:
        assert word in ended.log, ended.log
    assert "Traceback" not in ended.log
    return ended


def trades_again(edge: Edge, lsn: int) -> None:
    """Execution starts on the same journal, forgot nothing, and trades."""
    edge.mesh.start("execution")
    assert edge.describe().durable_lsn > lsn
    assert [report.lsn for report in edge.reports()][:lsn] == list(range(1, lsn + 1))
    edge.trade()
    edge.mesh.kill("execution")


def journal_of(edge: Edge) -> Path:
    return edge.mesh.home.root / "journal"


def last_lsn(edge: Edge) -> int:
    return reference.read(journal_of(edge)).records[-1].lsn


# ---- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("spin_us = 0\n", ""), ("SETTING_MISSING", "execution.spin_us")),
        (("spin_us = 0", "spin_us = 0\nspin = 1"), ("SETTING_UNKNOWN", "execution.spin")),
        (("spin_us = 0", "spin_us = -1"), ("SETTING_INVALID", "execution.spin_us", "0 to")),
        (("spin_us = 0", 'spin_us = "0"'), ("SETTING_INVALID", "execution.spin_us")),
        (('durability = "process"', 'durability = "fast"'), ("SETTING_INVALID", "durability")),
        (("run/execution.sock", "run/" + "x" * 108), ("SOCKET_PATH_TOO_LONG", "107")),
        (("spin_us = 0", "spin_us = "), ("SETTINGS_INVALID", "titan.toml")),
    ],
)
def test_wrong_settings_are_named(edge, change, words):
    toml = edge.mesh.home.toml
    good, lsn = toml.read_text(), last_lsn(edge)
    toml.write_text(good.replace(*change))
    assert toml.read_text() != good
    try:
        refused(edge, "execution", SETTINGS, *words)
    finally:
        toml.write_text(good)
    assert last_lsn(edge) == lsn


# ---- journal ------------------------------------------------------------------------------------


def newest_segment(edge: Edge) -> tuple[Path, int]:
    """The newest segment with records, and where its last record ends."""
    begun = [p for p in sorted(journal_of(edge).glob("*.seg")) if any(p.read_bytes()[32:40])]
    first_lsn = int.from_bytes(begun[-1].read_bytes()[32:40], "little")
    records = reference.read(journal_of(edge)).records[first_lsn - 1 :]
    return begun[-1], 128 + sum(49 + len(record.body) for record in records)


def test_a_torn_tail_is_cut_and_said(edge):
    lsn = last_lsn(edge)
    path, end = newest_segment(edge)
    data = bytearray(path.read_bytes())
    record, _ = reference.record_bytes(reference.Record(lsn + 1, 9, lsn, 2, b"half"), bytes(16))
    data[end : end + HALF] = record[:HALF]
    path.write_bytes(data)
    trades_again(edge, lsn)
    cut = re.findall(r"torn_bytes=(\d+)", edge.mesh.log_of("execution"))
    assert int(cut[-1]) == HALF


@pytest.mark.parametrize("which", [0, -1])
def test_a_flipped_bit_below_the_committed_mark_stops_everything(edge, which):
    lsn = last_lsn(edge)
    records = reference.read(journal_of(edge)).records
    path = next(
        p for p in sorted(journal_of(edge).glob("*.seg")) if records[which].body in p.read_bytes()
    )
    good = path.read_bytes()
    at = good.index(records[which].body) + 3
    path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
    ended = refused(edge, "execution", JOURNAL, "JOURNAL_CORRUPT")
    assert f"record {records[which].lsn} " in ended.log
    # What was refused was not touched: the bit put right, everything is there.
    path.write_bytes(good)
    assert last_lsn(edge) == lsn
    trades_again(edge, lsn)


def test_a_journal_that_misses_a_segment_or_its_mark_is_refused(edge, tmp_path):
    lsn = last_lsn(edge)
    kept = tmp_path / "journal"
    shutil.copytree(journal_of(edge), kept)
    first = min(journal_of(edge).glob("*.seg"))
    first.unlink()
    refused(edge, "execution", JOURNAL, "JOURNAL_")
    shutil.copyfile(kept / first.name, first)
    (journal_of(edge) / "mark").unlink()
    ended = edge.mesh.runs_to_its_end("execution")
    assert ended.code == JOURNAL, ended.log
    shutil.copyfile(kept / "mark", journal_of(edge) / "mark")
    trades_again(edge, lsn)


# ---- ports, sockets, instances ------------------------------------------------------------------


def test_an_occupied_port_is_named(edge):
    lsn = last_lsn(edge)
    host, _, port = edge.mesh.address("execution").rpartition(":")
    with socket.create_server((host, int(port))):
        refused(edge, "execution", LOCKED, "PORT_IN_USE", port)
    trades_again(edge, lsn)


def test_a_stale_socket_file_is_replaced_and_a_living_server_is_not(edge):
    lsn = last_lsn(edge)
    path = edge.mesh.home.run / "execution.sock"
    # kill -9 left it.
    assert path.is_socket()
    trades_again(edge, lsn)
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as living:
        living.bind(str(path))
        living.listen()
        refused(edge, "execution", LOCKED, "SOCKET_IN_USE", str(path))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(path))
    path.unlink()
    path.write_text("not a socket")
    refused(edge, "execution", LOCKED, "SOCKET_IN_USE", str(path))
    assert path.read_text() == "not a socket"
    path.unlink()
    trades_again(edge, lsn)


def test_a_second_instance_is_refused_and_the_first_trades_on(edge):
    edge.mesh.start("execution")
    before = edge.describe()
    refused(edge, "execution", LOCKED, "INSTANCE_LOCK_HELD")
    after = edge.describe()
    assert (after.exec_epoch, after.durable_lsn) == (before.exec_epoch, before.durable_lsn)
    edge.trade()
    edge.mesh.kill("execution")


def test_keys_that_others_can_read_are_refused(edge):
    key = next((edge.mesh.home.keys / "fastpath").glob("*-scavenger.key"))
    key.chmod(0o444)
    try:
        refused(edge, "execution", POLICY, "KEY_FILE_MODE", str(key))
    finally:
        key.chmod(0o400)


# ---- the policy ---------------------------------------------------------------------------------


def changed(text: bytes, old: bytes, new: bytes) -> bytes:
    """One byte, changed."""
    assert text.count(old) == 1
    assert sum(a != b for a, b in zip(old, new, strict=True)) == 1
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("service", "old", "new", "code"),
    [
        ("execution", b'"equity"', b'"equitx"', "POLICY_INVALID"),
        ("execution", b'"equity": "100000"', b'"equity": "-00000"', "POLICY_INVALID"),
        ("execution", b'"symbol": "BTCUSDT"', b'"symbol": "BTCUSDX"', "POLICY_MISMATCH"),
        ("brain", b'"version": 1,', b'"version": 0,', "POLICY_INVALID"),
        ("scavenger", b'"max_restarts": 3', b'"max_restarts":.3', "POLICY_NOT_CANONICAL"),
    ],
)
def test_one_changed_byte_that_breaks_the_policy_stops_each_service(edge, service, old, new, code):
    path, lsn = edge.mesh.home.policy, last_lsn(edge)
    good = path.read_bytes()
    path.write_bytes(changed(good, old, new))
    try:
        refused(edge, service, POLICY, code)
    finally:
        path.write_bytes(good)
    assert last_lsn(edge) == lsn


def test_one_changed_byte_that_makes_another_policy_is_refused_at_every_door(edge):
    """Execution runs under one hash; whoever works under the other gets nothing through."""
    path = edge.mesh.home.policy
    good = path.read_bytes()
    edge.mesh.start("execution")
    edge.trade()
    before = edge.picture()
    path.write_bytes(changed(good, b'"max_daily_loss": "5000"', b'"max_daily_loss": "6000"'))
    try:
        other = load_policy(path).hash
        assert other != edge.policy.hash
        for door in DOORS:
            door(edge, other)
        assert edge.picture() == before
        refused_phase(edge)
        refused_brain(edge)
        assert edge.picture() == before
    finally:
        path.write_bytes(good)
    edge.trade()
    edge.mesh.kill("execution")


def header_of_a_frame(edge: Edge, other: bytes) -> None:
    with edge.fastpath(policy_hash=other) as session:
        assert session.ready.policy_hash == edge.policy.hash
        refusal = session.submit(edge.intent())
    assert isinstance(refusal, frames.Refused), refusal
    assert refusal.rejection.reason == MISMATCH
    assert refusal.rejection.field == "frame.policy_hash"


def intent_by_fastpath(edge: Edge, other: bytes) -> None:
    with edge.fastpath() as session:
        refusal = session.submit(edge.intent(policy_hash=other))
    assert isinstance(refusal, frames.Refused), refusal
    assert refusal.rejection.reason == MISMATCH


def intent_by_grpc(edge: Edge, other: bytes) -> None:
    with pytest.raises(TitanError) as denied:
        edge.submit(edge.intent(policy_hash=other))
    assert denied.value.code == "POLICY_HASH_MISMATCH"


def lease_of_a_brain(edge: Edge, other: bytes) -> None:
    lease = edge.lease(policy_hash=other, brain_epoch=9)
    request = control_pb2.GrantLeaseRequest(lease=lease)
    with pytest.raises(TitanError) as denied:
        edge.call(edge.control.GrantLease, request, "brain")
    assert denied.value.code == "POLICY_HASH_MISMATCH"


DOORS: tuple[Callable[[Edge, bytes], None], ...] = (
    header_of_a_frame,
    intent_by_fastpath,
    intent_by_grpc,
    lease_of_a_brain,
)


def refused_phase(edge: Edge) -> None:
    """The SDK learns the hash in force from READY and does not trade under another."""
    ended = edge.mesh.runs_to_its_end("scavenger")
    assert ended.code == POLICY, ended.log
    assert "POLICY_HASH_MISMATCH" in ended.log


def refused_brain(edge: Edge) -> None:
    """A Brain under the other policy cannot grant, and says so."""
    edge.mesh.spawn("brain")
    try:
        edge.mesh.logs("brain", "POLICY_HASH_MISMATCH")
    finally:
        edge.mesh.kill("brain")
