"""Recovery: a torn tail is cut, a damaged promise stops everything, and the twin agrees."""

import os
import struct

import pytest
from contract.reference import journal as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from titan_execution.core.journal import Journal
from titan_execution.core.journal_reader import JournalTail
from titan_mesh.errors import TitanError
from unit.titan_execution.core.journal_rig import (
    ACCOUNT,
    SEGMENT,
    copy,
    make,
    reopen,
    set_mark,
    twin,
    used,
)

BODIES = [b"confirmed" * 3, b"", b"ack", b"fill" * 20, b"cancel"]
FIRST = "00000001.seg"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Five records, each in a commit of its own."""
    path = tmp_path_factory.mktemp("small") / "journal"
    make(path, BODIES)
    reopen(path)  # drops the prepared segment
    return path


def ends(path):
    """Offsets behind the header and behind each record."""
    at = [128]
    for record in reference.read(path).records:
        at.append(at[-1] + 49 + len(record.body))
    return at


def test_every_cut_of_a_committed_journal_is_corruption(small, tmp_path):
    data, whole = (small / FIRST).read_bytes(), used(small / FIRST)
    target = copy(small, tmp_path / "j")
    for size in range(whole):
        (target / FIRST).write_bytes(data[:size])
        assert reopen(target) == "JOURNAL_CORRUPT", size


def test_every_cut_behind_an_old_mark_is_a_torn_tail(small, tmp_path):
    data, whole, at = (small / FIRST).read_bytes(), used(small / FIRST), ends(small)
    target = copy(small, tmp_path / "j")
    set_mark(target, 2)
    for size in range(whole):
        (target / FIRST).write_bytes(data[:size])
        good = sum(1 for end in at[1:] if end <= size)
        expected = twin(target)
        found = reopen(target)
        if good < 2:
            assert found == expected == "JOURNAL_CORRUPT", size
            continue
        assert found.last_lsn == len(expected) == good, size
        left = data[at[good] : size].rstrip(b"\0")
        assert found.torn_bytes == len(left), size
        assert used(target / FIRST) <= at[good]


def test_every_flipped_bit_of_a_committed_journal_is_found(small, tmp_path):
    data, whole = bytearray((small / FIRST).read_bytes()), used(small / FIRST)
    target = copy(small, tmp_path / "j")
    for bit in range(8 * whole):
        data[bit // 8] ^= 1 << bit % 8
        (target / FIRST).write_bytes(data)
        assert reopen(target) == "JOURNAL_CORRUPT", bit
        if bit % 61 == 0:
            assert twin(target) == "JOURNAL_CORRUPT", bit
        data[bit // 8] ^= 1 << bit % 8


def test_a_bit_behind_the_last_record_is_a_torn_tail(small, tmp_path):
    data, whole = bytearray((small / FIRST).read_bytes()), used(small / FIRST)
    target = copy(small, tmp_path / "j")
    for bit in range(8 * whole, 8 * SEGMENT, 397):
        data[bit // 8] ^= 1 << bit % 8
        (target / FIRST).write_bytes(data)
        data[bit // 8] ^= 1 << bit % 8
        found = reopen(target)
        assert (found.last_lsn, found.torn_bytes) == (5, bit // 8 + 1 - whole)
        assert found.torn_at == f"{FIRST}:{whole}"
        assert (target / FIRST).read_bytes() == data


def test_every_flipped_bit_behind_an_old_mark_agrees_with_the_twin(small, tmp_path):
    data, whole = bytearray((small / FIRST).read_bytes()), used(small / FIRST)
    target = copy(small, tmp_path / "j")
    outcomes = set()
    for bit in range(0, 8 * whole, 19):
        data[bit // 8] ^= 1 << bit % 8
        (target / FIRST).write_bytes(data)
        data[bit // 8] ^= 1 << bit % 8
        set_mark(target, 1)
        expected = twin(target)
        found = reopen(target)
        got = found if isinstance(found, str) else found.last_lsn
        assert got == (expected if isinstance(expected, str) else len(expected)), bit
        outcomes.add(got)
    # each record but the last is vouched for by a later one
    assert outcomes == {"JOURNAL_CORRUPT", 4}


def test_pages_of_one_batch_may_land_in_any_order(tmp_path):
    make(tmp_path / "j", [bytes([65 + i]) * 100 for i in range(6)], commit_every=3)
    data = bytearray((tmp_path / "j" / FIRST).read_bytes())
    data[128 + 4 * 149 : 128 + 5 * 149] = bytes(149)  # the fifth never reached the disk
    for mark, expected in ((6, "JOURNAL_CORRUPT"), (3, 4)):
        target = copy(tmp_path / "j", tmp_path / "copy")
        (target / FIRST).write_bytes(data)
        set_mark(target, mark)
        found = reopen(target)
        assert (found if isinstance(found, str) else found.last_lsn) == expected
    data[128 + 149 : 128 + 2 * 149] = bytes(149)  # nor the second, of the batch before
    target = copy(tmp_path / "j", tmp_path / "copy")
    (target / FIRST).write_bytes(data)
    set_mark(target, 0)
    assert reopen(target) == twin(target) == "JOURNAL_CORRUPT"


def test_corruption_names_its_place_and_changes_nothing(small, tmp_path):
    target = copy(small, tmp_path / "j")
    data = bytearray((small / FIRST).read_bytes())
    data[ends(small)[2] + 50] ^= 1
    (target / FIRST).write_bytes(data)
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    with pytest.raises(TitanError) as refused:
        Journal(target, ACCOUNT, segment_bytes=SEGMENT)
    assert refused.value.code == "JOURNAL_CORRUPT"
    assert f"record 3 at {FIRST}:{ends(small)[2]}" in str(refused.value)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before


def test_forged_records_with_good_checksums_are_found(small, tmp_path):
    held = reference.read(small)
    cases = [
        reference.Record(7, 1, 5, 2, b"skips one"),
        reference.Record(5, 1, 5, 2, b"repeats"),
        reference.Record(6, 0, 5, 2, b"an older epoch"),
    ]
    good, _ = reference.record_bytes(reference.Record(6, 1, 5, 2, b"fits"), held.chain)
    forged = [reference.record_bytes(record, held.chain)[0] for record in cases]
    forged.append(reference.record_bytes(cases[0]._replace(lsn=6), bytes(16))[0])
    whole = ends(small)[-1]
    for tail, expected in [(good, 6)] + [(bytes_, "JOURNAL_CORRUPT") for bytes_ in forged]:
        target = copy(small, tmp_path / "j")
        data = bytearray((target / FIRST).read_bytes())
        data[whole : whole + len(tail)] = tail
        (target / FIRST).write_bytes(data)
        found = reopen(target)
        assert (found if isinstance(found, str) else found.last_lsn) == expected


def test_damage_over_several_segments(tmp_path):
    make(tmp_path / "j", [bytes(900)] * 14)
    names = sorted(path.name for path in (tmp_path / "j").glob("*.seg"))
    assert len(names) >= 4
    reopen(tmp_path / "j")
    missing = copy(tmp_path / "j", tmp_path / "missing")
    (missing / names[1]).unlink()
    assert reopen(missing) == "JOURNAL_CORRUPT"
    swapped = copy(tmp_path / "j", tmp_path / "swapped")
    (swapped / names[0]).rename(swapped / "x")
    (swapped / names[1]).rename(swapped / names[0])
    (swapped / "x").rename(swapped / names[1])
    assert reopen(swapped) == "JOURNAL_CORRUPT"
    padded = copy(tmp_path / "j", tmp_path / "padded")
    data = bytearray((padded / names[0]).read_bytes())
    data[-1] = 1  # behind the last record of a full segment
    (padded / names[0]).write_bytes(data)
    assert reopen(padded) == twin(padded) == "JOURNAL_CORRUPT"
    archived = copy(tmp_path / "j", tmp_path / "archived")
    (archived / names[0]).unlink()  # the oldest may be moved away
    assert reopen(archived).last_lsn == 14
    tail = JournalTail(archived)
    assert tail.read(5)[0][0] == 5
    with pytest.raises(TitanError, match="JOURNAL_GONE"):
        tail.read(1)


def test_a_header_torn_while_a_segment_began_is_no_loss(tmp_path):
    make(tmp_path / "j", [bytes(900)] * 4)
    reopen(tmp_path / "j")
    reference_end = reopen(tmp_path / "j")
    torn = bytearray(
        reference.header_bytes(2, SEGMENT, 5, 1, chain=reference_end.chain, account=ACCOUNT)
    )
    torn[40:64] = bytes(24)
    (tmp_path / "j" / "00000002.seg").write_bytes(torn.ljust(SEGMENT, b"\0"))
    assert twin(tmp_path / "j")[-1][0] == 4
    assert reopen(tmp_path / "j").last_lsn == 4
    assert not (tmp_path / "j" / "00000002.seg").exists()
    assert make(tmp_path / "j", [b"on"])[0][0] == 5


@pytest.mark.parametrize("word", [8, 9])
def test_a_flipped_bit_of_the_mark_cannot_hide_a_loss(small, tmp_path, word):
    for bit in range(64):
        target = copy(small, tmp_path / "j")
        data = bytearray((target / "mark").read_bytes())
        value = struct.unpack_from("<Q", data, 8 * word)[0] ^ 1 << bit
        struct.pack_into("<Q", data, 8 * word, value)
        (target / "mark").write_bytes(data)
        kept = reopen(target)
        assert kept == "JOURNAL_CORRUPT" or kept.last_lsn == 5
        segment = (target / FIRST).read_bytes()
        last = ends(small)[-2]
        (target / FIRST).write_bytes(segment[:last].ljust(SEGMENT, b"\0"))
        assert reopen(target) == "JOURNAL_CORRUPT"


def test_a_mark_that_is_gone_or_foreign_stops_the_start(small, tmp_path):
    for damage in (lambda mark: mark.unlink(), lambda mark: mark.write_bytes(b"x" * 4096)):
        target = copy(small, tmp_path / "j")
        damage(target / "mark")
        with pytest.raises(TitanError, match="JOURNAL_CORRUPT"):
            Journal(target, ACCOUNT, segment_bytes=SEGMENT)


def test_a_shortened_last_segment_is_whole_again_after_the_cut(small, tmp_path):
    target = copy(small, tmp_path / "j")
    os.truncate(target / FIRST, used(target / FIRST))
    written = make(target, [bytes(500)] * 10)
    assert written[0][0] == 6
    assert (target / FIRST).stat().st_size == SEGMENT
    assert reopen(target).last_lsn == 15


def test_the_tail_refuses_a_record_that_rots_under_it(small, tmp_path):
    target = copy(small, tmp_path / "j")
    tail = JournalTail(target)
    assert len(tail.read(1, max_records=2)) == 2
    with (target / FIRST).open("r+b") as file:
        file.seek(ends(small)[2] + 49)
        file.write(b"ROT")
    with pytest.raises(TitanError, match=r"JOURNAL_CORRUPT.*value=3"):
        tail.read(3)
    assert [record[0] for record in tail.read(4)] == [4, 5]
    tail.close()
    tail.close()
    with pytest.raises(ValueError, match="closed"):
        tail.read(1)


def test_the_tail_is_bounded_in_bytes(small):
    tail = JournalTail(small)
    assert len(tail.read(1, max_bytes=1)) == 1
    assert len(tail.read(4, max_bytes=81)) == 2
    assert tail.read(6) == []


@st.composite
def damages(draw):
    """(segment, offset, replacement): a few bytes changed, a range cleared, or copied junk."""
    segment = draw(st.integers(0, 2))
    offset = draw(st.integers(0, SEGMENT - 1))
    return segment, offset, draw(st.one_of(st.binary(min_size=1, max_size=4), st.just(bytes(300))))


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 500), min_size=1, max_size=20),
    every=st.integers(1, 4),
    damage=st.lists(damages(), max_size=3),
    lag_and_cut=st.tuples(st.integers(0, 6), st.one_of(st.none(), st.integers(0, SEGMENT))),
)
def test_whatever_happens_to_the_files_recovery_and_twin_agree(
    tmp_path_factory, sizes, every, damage, lag_and_cut
):
    lag, cut = lag_and_cut
    path = tmp_path_factory.mktemp("any") / "j"
    make(path, [bytes([number + 1]) * size for number, size in enumerate(sizes)], every)
    assert reopen(path).last_lsn == len(sizes)
    names = sorted(file.name for file in path.glob("*.seg"))
    for segment, offset, junk in damage:
        file = path / names[segment % len(names)]
        data = bytearray(file.read_bytes())
        data[offset : offset + len(junk)] = junk[: max(0, len(data) - offset)]
        file.write_bytes(data)
    if cut is not None:
        os.truncate(path / names[-1], cut)
    set_mark(path, max(0, len(sizes) - lag))
    expected = twin(path)
    found = reopen(path)
    if isinstance(expected, str):
        assert found == expected
        return
    assert not isinstance(found, str), found
    assert found.last_lsn == len(expected)
    # what is left is clean: a second recovery has nothing to do, and the writer goes on
    assert (reopen(path).last_lsn, reopen(path).torn_bytes) == (len(expected), 0)
    assert make(path, [b"on"])[0][0] == len(expected) + 1
