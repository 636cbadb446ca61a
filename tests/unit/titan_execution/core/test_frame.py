"""The compiled frame reader and both Python twins judge the same bytes alike."""

import pytest
from contract.reference import frame as reference
from hypothesis import given
from hypothesis import strategies as st
from titan_execution.core.frame import FrameStream, encode
from titan_mesh.fastpath.errors import FastPathError
from titan_mesh.fastpath.frame import NO_MAC, FrameReader, encode_signed

CAPACITY = 262_144
frames = st.builds(
    encode,
    st.integers(0, 255),
    st.integers(0, 65535),
    st.integers(0, 2**64 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.binary(max_size=300),
)


def compiled(stream: bytes, cuts: list[int]):
    reader, taken = FrameStream(CAPACITY), []
    start = 0
    for cut in [*sorted(cuts), len(stream)]:
        assert reader.feed(stream[start:cut]) == max(0, cut - start)
        start = max(start, cut)
        while (got := reader.take())[0] == "FRAME_OK":
            taken.append(got[1])
        if got[0] != "FRAME_MORE":
            return taken, got[0]
    return taken, "FRAME_MORE"


def mesh(stream: bytes, cuts: list[int]):
    reader, taken = FrameReader(), []
    start = 0
    for cut in [*sorted(cuts), len(stream)]:
        reader.feed(stream[start:cut])
        start = max(start, cut)
        try:
            while (got := reader.next()) is not None:
                taken.append(tuple(got[:7]))
        except FastPathError as fault:
            return taken, fault.code
    return taken, "FRAME_MORE"


def test_golden_header():
    hexadecimal = "54544e31011107000600000001000000000000000000f323845bd718"
    payload = bytes.fromhex("0a0474657374")
    ours = encode(0x11, 7, 1, 1790000000000000000, bytes(32), payload)
    assert ours[:28].hex() == hexadecimal
    signed = encode_signed(0x11, 7, 1, 1790000000000000000, policy_hash=bytes(32), payload=payload)
    assert signed + NO_MAC == ours
    again = reference.encode(
        0x11, 7, 1, 1790000000000000000, policy_hash=bytes(32), payload=payload
    )
    assert again == ours


@given(st.lists(frames, max_size=6), st.data())
def test_frames_come_out_whole_however_they_arrive(sent, data):
    stream = b"".join(sent)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    expected = reference.decode(stream)
    assert expected[1] == "FRAME_MORE"
    assert len(expected[0]) == len(sent)
    assert compiled(stream, cuts) == expected
    assert mesh(stream, cuts) == expected


@given(st.lists(frames, min_size=1, max_size=3), st.data())
def test_a_changed_byte_gives_the_same_verdict_everywhere(sent, data):
    stream = bytearray(b"".join(sent))
    at = data.draw(st.integers(0, len(stream) - 1))
    stream[at] ^= data.draw(st.integers(1, 255))
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=4))
    expected = reference.decode(bytes(stream))
    assert compiled(bytes(stream), cuts) == expected
    assert mesh(bytes(stream), cuts) == expected


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ((0, b"{"), "FRAME_BAD_MAGIC"),
        ((3, b"2"), "FRAME_BAD_MAGIC"),
        ((4, b"\x02"), "FRAME_BAD_VERSION"),
        ((8, (65537).to_bytes(4, "little")), "FRAME_OVERSIZE"),
        ((8, b"\xff\xff\xff\xff"), "FRAME_OVERSIZE"),
    ],
)
def test_refusals(change, code):
    stream = bytearray(encode(16, 7, 1, 0, bytes(32), b"x"))
    stream[change[0] : change[0] + len(change[1])] = change[1]
    # judged on the header alone: the payload of an oversize frame is never waited for
    assert compiled(bytes(stream[:28]), []) == ([], code)
    assert mesh(bytes(stream[:28]), []) == ([], code)


def test_the_largest_payload_passes_and_the_end_of_a_stream_is_judged():
    whole = encode(16, 7, 1, 0, bytes(32), bytes(65536))
    reader = FrameStream(CAPACITY)
    assert reader.feed(whole + whole[:1]) == len(whole) + 1
    assert reader.take()[0] == "FRAME_OK"
    assert reader.end() == "FRAME_TRUNCATED"
    assert reader.take() == ("FRAME_MORE", None)
    reader.feed(whole[1:])
    assert reader.take()[0] == "FRAME_OK"
    assert reader.end() == "FRAME_OK"


def test_a_buffer_that_cannot_hold_a_frame_is_refused():
    with pytest.raises(MemoryError, match="65628"):
        FrameStream(65_627)


def test_the_buffer_makes_room_for_ever():
    reader = FrameStream(65_628 * 2)
    whole = encode(16, 7, 1, 0, bytes(32), bytes(60_000))
    for _ in range(20):
        assert reader.feed(whole) == len(whole)
        assert reader.take()[0] == "FRAME_OK"
        assert reader.take()[0] == "FRAME_MORE"
