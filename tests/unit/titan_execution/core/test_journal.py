"""The journal's writer: what it keeps, in which order, and how it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from contract.reference import journal as reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from titan_execution.core.journal import Journal, crc32c
from titan_execution.core.journal_reader import JournalTail
from titan_mesh.errors import TitanError
from unit.titan_execution.core.journal_rig import ACCOUNT, SEGMENT, make, reopen, twin

bodies = st.lists(st.binary(max_size=600), max_size=40)


def code_of(call, *args, **options) -> str:
    with pytest.raises(TitanError) as refused:
        call(*args, **options)
    return refused.value.code


def test_crc_by_both_ways():
    assert crc32c(b"123456789") == crc32c(b"123456789", by_table=True) == 0xE3069283


@given(st.binary(max_size=500))
def test_crc_agrees(data):
    assert crc32c(data) == crc32c(data, by_table=True) == reference.crc32c(data)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(bodies, min_size=1, max_size=3), st.integers(1, 5))
def test_the_twin_reads_what_was_written_over_segments_and_incarnations(
    tmp_path_factory, lives, every
):
    path = tmp_path_factory.mktemp("journal") / "j"
    written = [record for bodies in lives for record in make(path, bodies, every)]
    assert twin(path) == written
    found = reopen(path)
    assert (found.records, found.torn_bytes) == (len(written), 0)
    assert found.chain == reference.read(path).chain
    tail = JournalTail(path)
    assert tail.read(1, 10_000) == written


def test_the_bytes_are_those_of_the_twin(tmp_path):
    make(tmp_path / "j", [b"one", b"", b"three" * 50])
    data = (tmp_path / "j" / "00000001.seg").read_bytes()
    chain, expected = bytes(16), b""
    for record in reference.read(tmp_path / "j").records:
        encoded, chain = reference.record_bytes(record, chain)
        expected += encoded
    header = reference.header_bytes(1, SEGMENT, 1, 0, chain=bytes(16), account=ACCOUNT)
    assert data == (header + expected).ljust(SEGMENT, b"\0")


def test_readers_see_only_what_is_committed(tmp_path):
    with Journal(tmp_path, ACCOUNT, segment_bytes=SEGMENT) as journal:
        tail = JournalTail(tmp_path)
        assert journal.append(2, b"a") == 1
        assert (journal.written_lsn, journal.committed_lsn, tail.committed_lsn) == (1, 0, 0)
        assert tail.read(1) == []
        assert journal.commit() == 1
        assert tail.read(1) == [(1, 0, 2, b"a")]
        journal.append(3, b"never committed")
    # written is not promised, yet it is there: recovery keeps what holds
    assert reopen(tmp_path).last_lsn == 2


def test_another_process_follows(tmp_path):
    script = (
        "import sys\n"
        "from titan_execution.core.journal_reader import JournalTail\n"
        "tail, want = JournalTail(sys.argv[1]), 1\n"
        "for line in sys.stdin:\n"
        "    got = tail.read(want)\n"
        "    want += len(got)\n"
        "    print(*(lsn for lsn, *_ in got), flush=True)\n"
    )
    with Journal(tmp_path, ACCOUNT, segment_bytes=SEGMENT) as journal:
        with subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as reader:
            expected = 1
            for batch in (1, 3, 60, 0, 5):
                for _ in range(batch):
                    journal.append(1, bytes(200))
                journal.commit()
                reader.stdin.write("more\n")
                reader.stdin.flush()
                lsns = [int(word) for word in reader.stdout.readline().split()]
                assert lsns == list(range(expected, expected + batch))
                expected += batch
            reader.stdin.close()
        assert journal.counters()["rotations"] >= 3


def test_the_second_instance_is_refused(tmp_path):
    with Journal(tmp_path, ACCOUNT, segment_bytes=SEGMENT):
        assert code_of(Journal, tmp_path, ACCOUNT) == "INSTANCE_LOCK_HELD"
    Journal(tmp_path, ACCOUNT, segment_bytes=SEGMENT).close()


def test_bad_arguments(tmp_path):
    assert code_of(Journal, tmp_path, "") == "ACCOUNT_INVALID"
    assert code_of(Journal, tmp_path, "a" * 25) == "ACCOUNT_INVALID"
    assert code_of(Journal, tmp_path, ACCOUNT, segment_bytes=4095) == "SEGMENT_BYTES"
    assert code_of(Journal, tmp_path, ACCOUNT, durability="maybe") == "DURABILITY"
    assert code_of(JournalTail, tmp_path) == "JOURNAL_MISSING"
    with Journal(tmp_path, ACCOUNT, segment_bytes=SEGMENT) as journal:
        assert code_of(journal.append, 1, bytes(SEGMENT)) == "JOURNAL_SMALL"
        assert code_of(journal.append, 1, bytes(65537)) == "JOURNAL_OVERSIZE"
        journal.epoch = 4
        with pytest.raises(TitanError, match="JOURNAL_EPOCH"):
            journal.epoch = 3
        assert journal.append(1, bytes(SEGMENT - 128 - 49)) == 1
    assert code_of(Journal, tmp_path, "another", segment_bytes=SEGMENT) == "JOURNAL_ACCOUNT"


def test_segments_of_another_size_follow_a_changed_setting(tmp_path):
    make(tmp_path, [bytes(1000)] * 9)
    make(tmp_path, [bytes(1000)] * 30, segment_bytes=16_384)
    assert (tmp_path / "00000005.seg").stat().st_size == 16_384
    assert reopen(tmp_path).last_lsn == 39


@pytest.mark.parametrize("durability", ["process", "power"])
def test_kill_9_loses_nothing_committed(tmp_path, durability):
    script = (
        "import sys\n"
        "from titan_execution.core.journal import Journal\n"
        "journal = Journal(sys.argv[1], 'paper-main', segment_bytes=8192, durability=sys.argv[2])\n"
        "while True:\n"
        "    for _ in range(7): journal.append(2, b'order' * 20)\n"
        "    print(journal.commit(), flush=True)\n"
    )
    reached = 0
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path), durability], stdout=subprocess.PIPE
        )
        for _ in range(25):
            told = int(child.stdout.readline())
            assert told > reached
            reached = told
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().splitlines()
        child.wait()
        child.stdout.close()
        reached = max([reached, *(int(line) for line in rest[:-1])])
        found = reopen(tmp_path)
        assert found.last_lsn >= reached
        assert found.torn_bytes == 0
    assert [lsn for lsn, *_ in twin(tmp_path)] == list(range(1, found.last_lsn + 1))


def test_a_failed_sync_is_final(tmp_path):
    journal = Journal(tmp_path, ACCOUNT, segment_bytes=SEGMENT, durability="power")
    journal.append(1, b"good")
    assert journal.commit() == 1
    fds = {
        str(link.readlink()): int(link.name)
        for link in Path("/proc/self/fd").iterdir()
        if link.exists()
    }
    reading, writing = os.pipe()
    os.dup2(writing, fds[str(tmp_path / "00000001.seg")])  # a pipe cannot be synced
    journal.append(1, b"lost")
    assert code_of(journal.commit) == "JOURNAL_IO"
    assert code_of(journal.append, 1, b"no more") == "JOURNAL_IO"
    assert code_of(journal.commit) == "JOURNAL_IO"
    assert journal.committed_lsn == 1
    journal.close()
    os.close(reading)
    os.close(writing)


def test_no_room_for_the_next_segment_is_final_and_keeps_what_was_committed(tmp_path):
    script = (
        "import resource, sys\n"
        "from titan_execution.core.journal import Journal\n"
        "from titan_mesh.errors import TitanError\n"
        "journal = Journal(sys.argv[1], 'paper-main', segment_bytes=65536)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000))\n"
        "try:\n"
        "    while True:\n"
        "        journal.append(2, bytes(1000))\n"
        "        print(journal.commit(), flush=True)\n"
        "except TitanError as fault:\n"
        "    print(fault.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    *lsns, code = done.stdout.split()
    assert code == "JOURNAL_NO_SPACE"
    assert reopen(tmp_path).last_lsn == int(lsns[-1]) >= 62


def test_no_room_at_the_start_is_said(tmp_path):
    script = (
        "import resource, sys\n"
        "from titan_execution.core.journal import Journal\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000))\n"
        "Journal(sys.argv[1], 'paper-main', segment_bytes=65536)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert "JOURNAL_NO_SPACE" in done.stderr
    Journal(tmp_path, ACCOUNT, segment_bytes=65536).close()
