"""A FastPath session without a socket: no frame that is not genuine has any effect."""

from __future__ import annotations

import random

import pytest
from titan.fastpath.v1 import frames_pb2 as frames
from titan_execution.core.mac import Keys
from titan_execution.core.probe import SessionProbe
from titan_mesh.fastpath import ClientKey
from titan_mesh.fastpath.contract import ContractHandshake
from titan_mesh.fastpath.session import SessionWire
from titan_testkit.engine_rig import PHASE, EngineRig

KEY = ClientKey(7, PHASE, bytes(range(32)))
CLIENT_NONCE, SERVER_NONCE = bytes(16), bytes([1] * 16)


class Talk:
    """Client and server of one session, in one process."""

    def __init__(self, key=KEY, server_key=KEY, rig=None):
        self.rig = rig or EngineRig().open()
        keys = Keys([(server_key.key_id, server_key.principal, server_key.secret)])
        self.server = SessionProbe(self.rig.probe, keys, SERVER_NONCE)
        self.wire = SessionWire(key, ContractHandshake(), CLIENT_NONCE, self.rig.policy.hash)

    def shake(self):
        self.wire.feed(self.server.feed(self.wire.hello(b"", self.rig.now_ns)))
        proof = self.wire.answer_challenge(self.wire.next_frame(), "test", self.rig.now_ns)
        self.wire.feed(self.server.feed(proof))
        return self.wire.ready(self.wire.next_frame())

    def seal(self, frame_type, message):
        payload = message if isinstance(message, bytes) else message.SerializeToString()
        return self.wire.request(frame_type, payload, self.rig.now_ns)

    def prepare(self):
        return self.seal(frames.FRAME_TYPE_PREPARE, frames.Prepare(intent=self.rig.intent()))

    def answers(self, data):
        self.wire.feed(data)
        found = []
        while (frame := self.wire.next_frame()) is not None:
            found.append(self.wire.answer(frame))
        return found


@pytest.fixture
def talk():
    talk = Talk()
    talk.shake()
    return talk


def picture(rig):
    return rig.host.state_hash(), rig.probe.state(), rig.probe.take_verdicts()


def refusal(talk, data):
    ((kind, payload),) = talk.answers(data)
    assert kind == frames.FRAME_TYPE_REFUSED
    return frames.Refused.FromString(payload).rejection


def test_the_handshake_proves_both_sides():
    talk = Talk()
    ready = talk.shake()
    assert ready.policy_hash == talk.rig.policy.hash
    assert talk.server.open


def test_a_frame_may_come_byte_by_byte(talk):
    out = b"".join(talk.server.feed(bytes([byte])) for byte in talk.prepare())
    ((kind, _),) = talk.answers(out)
    assert kind == frames.FRAME_TYPE_PREPARED


def test_many_frames_may_come_at_once(talk):
    sealed = b"".join(
        talk.seal(frames.FRAME_TYPE_PING, frames.Ping(echo=number)) for number in range(50)
    )
    echoes = [
        frames.Pong.FromString(payload).echo
        for _, payload in talk.answers(talk.server.feed(sealed))
    ]
    assert echoes == list(range(50))


def test_every_flipped_bit_is_found_and_changes_nothing():
    rig = EngineRig().open()
    talk = Talk(rig=rig)
    talk.shake()
    for bit in range(len(talk.prepare()) * 8):
        talk = Talk(rig=rig)
        talk.shake()
        sealed = bytearray(talk.prepare())
        sealed[bit // 8] ^= 1 << bit % 8
        before = picture(talk.rig)
        talk.server.feed(bytes(sealed))
        after = picture(talk.rig)
        assert after == before, f"bit {bit}"
        # A length that grew only waits for bytes that never come.
        assert talk.server.closing or 64 <= bit < 96, f"bit {bit}"
        if bit % 97:
            continue
        assert talk.server.feed(talk.prepare()) == b"" or 64 <= bit < 96


def test_a_replayed_and_a_skipped_counter_end_the_session():
    for again in (True, False):
        talk = Talk()
        talk.shake()
        first = talk.prepare()
        if not again:
            first = talk.prepare()
        talk.wire.unanswered = 1
        answers = talk.answers(talk.server.feed(first)) if again else []
        talk.rig.verdicts()
        before = picture(talk.rig)
        talk.wire.unanswered = 1
        rejection = refusal(talk, talk.server.feed(first))
        assert rejection.field == "frame.counter"
        assert talk.server.closing
        assert picture(talk.rig) == before
        assert len(answers) == int(again)


def test_bytes_of_another_session_do_not_verify():
    first = Talk()
    first.shake()
    sealed = first.prepare()
    second = Talk()
    second.wire = SessionWire(KEY, ContractHandshake(), bytes([9] * 16), second.rig.policy.hash)
    second.shake()
    second.wire.unanswered = 1
    assert refusal(second, second.server.feed(sealed)).field == "frame.mac"


@pytest.mark.parametrize(
    "key",
    [
        ClientKey(8, PHASE, KEY.secret),
        ClientKey(7, "hunter", KEY.secret),
    ],
)
def test_an_unknown_key_gets_no_challenge(key):
    talk = Talk(key=key)
    assert talk.server.feed(talk.wire.hello(b"", 1)) == b""
    assert talk.server.closing
    assert talk.server.counters()["bad_hello"] == 1


def test_a_wrong_secret_fails_at_the_proof():
    talk = Talk(key=ClientKey(7, PHASE, bytes(32)))
    talk.wire.feed(talk.server.feed(talk.wire.hello(b"", 1)))
    proof = talk.wire.answer_challenge(talk.wire.next_frame(), "test", 1)
    talk.server.feed(proof)
    assert talk.server.closing
    assert talk.server.counters()["bad_mac"] == 1


def test_a_verb_before_the_proof_is_refused():
    talk = Talk()
    talk.wire.feed(talk.server.feed(talk.wire.hello(b"", 1)))
    talk.wire.answer_challenge(talk.wire.next_frame(), "test", 1)
    talk.wire._sent = 0
    before = picture(talk.rig)
    talk.server.feed(talk.prepare())
    assert talk.server.closing
    assert picture(talk.rig) == before


def test_an_oversize_frame_is_refused_before_its_bytes_come(talk):
    sealed = bytearray(talk.prepare())
    sealed[8:12] = (65_537).to_bytes(4, "little")
    rejection = refusal(talk, talk.server.feed(bytes(sealed[:28])))
    assert (rejection.field, rejection.value) == ("frame.payload_size", 65_537)
    assert talk.server.closing


@pytest.mark.parametrize("frame_type", [0, 1, 2, 15, 23, 64, 80, 127, 255])
def test_a_type_that_no_client_may_send_ends_the_session(talk, frame_type):
    rejection = refusal(talk, talk.server.feed(talk.seal(frame_type, b"")))
    assert (rejection.field, rejection.value) == ("frame.type", frame_type)
    assert talk.server.closing


@pytest.mark.parametrize("frame_type", [16, 17, 18, 19, 20, 21, 22])
def test_payloads_that_do_not_decode_are_refused_and_the_session_lives(talk, frame_type):
    rejection = refusal(talk, talk.server.feed(talk.seal(frame_type, b"\xff\xff")))
    assert rejection.reason == 1
    assert talk.server.open


def test_noise_never_gets_through():
    chance = random.Random(5)
    rig = EngineRig().open()
    for _ in range(300):
        talk = Talk(rig=rig)
        talk.shake()
        before = picture(talk.rig)
        talk.server.feed(chance.randbytes(chance.randrange(1, 400)))
        assert picture(talk.rig) == before
