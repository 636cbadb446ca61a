"""Bad input at Execution's doors: a coded answer, nothing changed, and the next order trades."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest
from titan.execution.v1 import execution_service_pb2 as execution_pb2
from titan.fastpath.v1 import frames_pb2 as frames
from titan.trading.v1 import intent_pb2, order_pb2, reject_reason_pb2
from titan_mesh import keys
from titan_mesh.errors import AccessDenied, TitanError
from titan_mesh.fastpath import ClientKey
from titan_mesh.rpc.status import from_rpc_error
from titan_sdk.instruments import Instruments
from titan_sdk.intent import IntentInvalid
from titan_sdk.vocabulary import Side
from titan_testkit.edge import Edge, RawSession
from titan_testkit.paper import ASK_TICKS, SYMBOL

pytestmark = pytest.mark.e2e
OTHER_HASH = bytes(range(32))
PREPARE, PING = frames.FRAME_TYPE_PREPARE, frames.FRAME_TYPE_PING
PAYLOAD_LEN_AT, COUNTER_AT, KEY_ID_AT, VERSION_AT, TYPE_AT = 8, 12, 6, 4, 5


@pytest.fixture(scope="module")
def edge(make_edge) -> Edge:
    """Execution with bus and venue; the test is its Brain."""
    made = make_edge()
    made.mesh.start("nats", "venue", "execution")
    made.trade()
    return made


@contextmanager
def nothing_changes(edge: Edge) -> Iterator[None]:
    """Journal and state are the same after the block, and a good order still works."""
    edge.open()
    before = edge.picture()
    yield
    assert edge.picture() == before
    edge.trade()


def reason(name: str) -> int:
    return reject_reason_pb2.RejectReason.Value(f"REJECT_REASON_{name}")


# ---- intents ------------------------------------------------------------------------------------

# What is wrong, how, FastPath's reason with its field, and SubmitIntent's code.
INTENTS = {
    "unknown enum": ({"side": 9}, "UNKNOWN_ENUM", "side", "FIELD_INVALID"),
    "unset enum": ({"time_in_force": 0}, "MALFORMED", "time_in_force", "FIELD_INVALID"),
    "short id": ({"intent_id": bytes(15)}, "MALFORMED", "intent_id", "FIELD_INVALID"),
    "no lots": ({"qty_lots": 0}, "MALFORMED", "qty_lots", "FIELD_INVALID"),
    "price of zero": ({"price_ticks": 0}, "PRICE_INVALID", "price_ticks", "FIELD_INVALID"),
    "negative price": ({"price_ticks": -1}, "PRICE_INVALID", "price_ticks", "FIELD_INVALID"),
    "price beyond all": (
        {"price_ticks": 10**12 + 1}, "PRICE_INVALID", "price_ticks", "FIELD_INVALID",
    ),
    "price far off the market": (
        {"price_ticks": ASK_TICKS * 103 // 100}, "PRICE_COLLAR",
        "instruments.price_collar_ppm", "PRICE_COLLAR",
    ),
    "too many lots": (
        {"qty_lots": 1_001}, "ORDER_QTY_LIMIT",
        "instruments.max_order_qty_lots", "ORDER_QTY_LIMIT",
    ),
    "too much money": (
        {"qty_lots": 1_000, "price_ticks": ASK_TICKS + 1_000}, "ORDER_NOTIONAL_LIMIT",
        "instruments.max_order_notional", "ORDER_NOTIONAL_LIMIT",
    ),
    "too little money": (
        {"qty_lots": 1}, "ORDER_NOTIONAL_LIMIT",
        "instrument.min_notional", "ORDER_NOTIONAL_LIMIT",
    ),
    "other policy": (
        {"policy_hash": OTHER_HASH}, "POLICY_HASH_MISMATCH",
        "policy_hash", "POLICY_HASH_MISMATCH",
    ),
    "unknown account": (
        {"account": "paper-other"}, "UNKNOWN_ACCOUNT", "account", "UNKNOWN_ACCOUNT",
    ),
    "unknown symbol": (
        {"symbol": "DOGEUSDT"}, "UNKNOWN_INSTRUMENT", "symbol", "UNKNOWN_INSTRUMENT",
    ),
    "symbol outside the policy": (
        {"symbol": "ETHUSDT"}, "UNKNOWN_INSTRUMENT", "symbol", "UNKNOWN_INSTRUMENT",
    ),
    "other instrument version": (
        {"instrument_version": 2}, "INSTRUMENT_VERSION",
        "instrument_version", "INSTRUMENT_VERSION",
    ),
    "expired": (
        {"expires_at_boottime_ns": 1}, "INTENT_EXPIRED",
        "expires_at_boottime_ns", "INTENT_EXPIRED",
    ),
    "lives too long": (
        {"expires_at_boottime_ns": 2**62}, "TTL_TOO_LONG",
        "expires_at_boottime_ns", "TTL_TOO_LONG",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", INTENTS)
def test_bad_intents_are_refused_by_both_doors(edge, what):
    changes, name, field, rpc_code = INTENTS[what]
    with nothing_changes(edge):
        with edge.fastpath() as session:
            refused = session.submit(edge.intent(**changes))
            assert isinstance(refused, frames.Refused), refused
            assert refused.rejection.reason == reason(name), refused
            assert refused.rejection.field == field
            # The session goes on: a bad intent is no broken peer.
            assert session.ask(PING, frames.Ping(echo=7)).echo == 7
        with pytest.raises(TitanError) as denied:
            edge.submit(edge.intent(**changes))
        assert denied.value.code == rpc_code
        assert denied.value.field, denied.value


def test_a_phase_key_speaks_for_its_phase_only(edge):
    with nothing_changes(edge), edge.fastpath() as session:
        refused = session.prepare(edge.intent(phase_id="hunter"))
        assert refused.rejection.reason == reason("UNKNOWN_PHASE")
        assert refused.rejection.field == "principal"


def test_grpc_callers_prove_who_they_are_and_say_how_long_they_wait(edge):
    with nothing_changes(edge):
        for principal, code in (("", "TOKEN_MISSING"), ("console", "ROLE_DENIED")):
            with pytest.raises(AccessDenied) as denied:
                edge.submit(edge.intent(), principal=principal)
            assert denied.value.code == code
        with pytest.raises(TitanError) as denied:
            edge.submit(edge.intent(phase_id="hunter"))
        assert denied.value.code == "UNKNOWN_PHASE"
        request = execution_pb2.SubmitIntentRequest(intent=edge.intent())
        secret = keys.read_grpc_key(edge.mesh.home.root, "scavenger")
        metadata = [("authorization", keys.token_of("scavenger", secret))]
        with pytest.raises(grpc.RpcError) as endless:
            edge.orders.SubmitIntent(request, metadata=metadata)
        assert from_rpc_error(endless.value).code == "DEADLINE_REQUIRED"
        metadata = [("authorization", keys.token_of("scavenger", bytes(32)))]
        with pytest.raises(grpc.RpcError) as forged:
            edge.orders.SubmitIntent(request, metadata=metadata, timeout=5)
        assert from_rpc_error(forged.value).code == "TOKEN_INVALID"


def test_bytes_that_are_no_message_are_malformed(edge):
    with nothing_changes(edge), edge.fastpath() as session:
        for frame_type in (PREPARE, frames.FRAME_TYPE_CONFIRM, frames.FRAME_TYPE_CANCEL):
            refused = session.ask_raw(frame_type, b"\xff" * 40)
            assert refused.rejection.reason == reason("MALFORMED"), frame_type
            assert refused.rejection.field == "payload"
        # A whole PREPARE around bytes that are no intent.
        refused = session.ask_raw(PREPARE, b"\x0a\x04\xff\xff\xff\xff")
        assert refused.rejection.reason == reason("MALFORMED")


def test_the_same_id_with_other_content_is_a_conflict(edge):
    edge.open()
    intent = edge.intent()
    with edge.fastpath() as session:
        first = session.submit(intent)
        assert isinstance(first, frames.Accepted)
        edge.ends(intent.intent_id, order_pb2.INTENT_STATE_FILLED)
        with nothing_changes(edge):
            other = intent_pb2.IntentSignal.FromString(intent.SerializeToString())
            other.qty_lots += 1
            refused = session.submit(other)
            assert refused.rejection.reason == reason("INTENT_CONFLICT")
            with pytest.raises(TitanError) as denied:
                edge.submit(other)
            assert denied.value.code == "INTENT_CONFLICT"


def test_confirm_needs_a_prepared_intent_and_its_token(edge):
    edge.open()
    with edge.fastpath() as session:
        prepared = session.prepare(edge.intent())
        withdraw = frames.Abort(intent_id=prepared.intent_id)
        assert isinstance(session.ask(frames.FRAME_TYPE_ABORT, withdraw), frames.Aborted)
        held = session.prepare(edge.intent())
        with nothing_changes(edge):
            never_seen = frames.Prepared(intent_id=edge.ids.intent_id(), token=1)
            wrong_token = frames.Prepared(intent_id=held.intent_id, token=held.token + 1)
            for bad in (never_seen, wrong_token):
                refused = session.confirm(bad)
                assert refused.rejection.reason == reason("PREPARE_UNKNOWN")
            refused = session.confirm(prepared)
            assert refused.rejection.reason == reason("PREPARE_EXPIRED")
            for intent_id in (prepared.intent_id, held.intent_id, never_seen.intent_id):
                refused = session.cancel(intent_id)
                assert refused.rejection.reason == reason("UNKNOWN_ORDER")
        # Its reservation would lapse in the middle of another test.
        withdraw = frames.Abort(intent_id=held.intent_id)
        assert isinstance(session.ask(frames.FRAME_TYPE_ABORT, withdraw), frames.Aborted)


def test_another_policy_in_the_frame_header_is_refused_and_the_session_goes_on(edge):
    with nothing_changes(edge), edge.fastpath(policy_hash=OTHER_HASH) as session:
        for _ in range(2):
            refused = session.prepare(edge.intent())
            assert refused.rejection.reason == reason("POLICY_HASH_MISMATCH")
            assert refused.rejection.field == "frame.policy_hash"


# ---- the author's decimals ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"price": "60000.05", "qty": "0.002"}, "price"),
        ({"price": "60000.10", "qty": "0.0025"}, "qty"),
        ({"price": "-1", "qty": "0.002"}, "notional"),
        ({"price": "nan", "qty": "0.002"}, "price"),
        ({"price": 60000.1, "qty": "0.002"}, "price"),
    ],
)
def test_decimals_off_the_grid_never_become_an_intent(edge, wish, field):
    instrument = Instruments.load(edge.mesh.home.instruments).get(SYMBOL)
    with pytest.raises(IntentInvalid) as fault:
        instrument.intent(Side.BUY, rule="test", **wish)
    assert fault.value.code
    assert field in fault.value.field
    assert fault.value.value
    on_grid = instrument.intent(Side.BUY, rule="test", price="60000.10", qty="0.002")
    assert (on_grid.price_ticks, on_grid.qty_lots) == (600_001, 2)


# ---- frames -------------------------------------------------------------------------------------


def flipped(frame: bytes, at: int) -> bytes:
    """The frame with one bit turned."""
    spoiled = bytearray(frame)
    spoiled[at] ^= 1
    return bytes(spoiled)


def sized(frame: bytes, payload_len: int) -> bytes:
    """The frame with another payload length in its header."""
    return frame[:PAYLOAD_LEN_AT] + struct.pack("<I", payload_len) + frame[COUNTER_AT:]


# How a good PREPARE is spoiled, and the field of the refusal before the session ends.
FRAMES = {
    "wrong MAC": (lambda frame: flipped(frame, -1), "frame.mac"),
    "changed payload": (lambda frame: flipped(frame, 70), "frame.mac"),
    "changed policy hash": (lambda frame: flipped(frame, 30), "frame.mac"),
    "changed counter": (lambda frame: flipped(frame, COUNTER_AT), "frame.mac"),
    "changed type": (lambda frame: flipped(frame, TYPE_AT), "frame.mac"),
    "other key id": (lambda frame: flipped(frame, KEY_ID_AT), "frame.mac"),
    "oversize": (lambda frame: sized(frame, 65_537), "frame.payload_size"),
    "oversize by far": (lambda frame: sized(frame, 2**32 - 1), "frame.payload_size"),
    "no magic": (lambda frame: b"GET " + frame[4:], "frame.header"),
    "other version": (lambda frame: flipped(frame, VERSION_AT), "frame.header"),
}


def prepare_frame(edge: Edge, session: RawSession) -> bytes:
    return session.seal(PREPARE, frames.Prepare(intent=edge.intent()).SerializeToString())


@pytest.mark.parametrize("what", FRAMES)
def test_a_spoiled_frame_ends_its_session_with_a_signed_refusal(edge, what):
    spoil, field = FRAMES[what]
    with nothing_changes(edge):
        session = RawSession(edge.mesh)
        session.socket.sendall(spoil(prepare_frame(edge, session)))
        refused = session.refusal()
        assert refused.rejection.reason == reason("MALFORMED")
        assert refused.rejection.field == field
        assert session.read_frame() is None
        session.close()


def test_an_old_counter_has_no_effect_the_second_time(edge):
    edge.open()
    session = RawSession(edge.mesh)
    sealed = prepare_frame(edge, session)
    session.socket.sendall(sealed)
    kind, payload = session.answer()
    assert kind == frames.FRAME_TYPE_PREPARED
    prepared = frames.Prepared.FromString(payload)
    abort = frames.Abort(intent_id=prepared.intent_id).SerializeToString()
    session.socket.sendall(session.seal(frames.FRAME_TYPE_ABORT, abort))
    assert session.answer()[0] == frames.FRAME_TYPE_ABORTED
    with nothing_changes(edge):
        session.socket.sendall(sealed)
        refused = session.refusal()
        assert refused.rejection.field == "frame.counter"
        # PROOF was 1, PREPARE 2, ABORT 3.
        assert (refused.rejection.value, refused.rejection.limit) == (2, 4)
        assert session.read_frame() is None
        with edge.fastpath() as after:
            stays = after.status(prepared.intent_id).state
        assert stays == order_pb2.INTENT_STATE_UNSPECIFIED
    session.close()


def test_a_skipped_counter_ends_the_session(edge):
    with nothing_changes(edge):
        session = RawSession(edge.mesh)
        session.seal(PING, b"")  # never sent
        session.socket.sendall(prepare_frame(edge, session))
        refused = session.refusal()
        assert refused.rejection.field == "frame.counter"
        assert session.read_frame() is None
        session.close()


@pytest.mark.parametrize("frame_type", [0, 3, 63, frames.FRAME_TYPE_PREPARED, 255])
def test_a_type_that_no_client_sends_ends_the_session(edge, frame_type):
    with nothing_changes(edge):
        session = RawSession(edge.mesh)
        session.socket.sendall(session.seal(frame_type, b""))
        refused = session.refusal()
        assert refused.rejection.reason == reason("MALFORMED")
        assert (refused.rejection.field, refused.rejection.value) == ("frame.type", frame_type)
        assert session.read_frame() is None
        session.close()


@pytest.mark.parametrize("share", [1, 27, 28, 61, -1])
def test_half_a_frame_and_then_the_end_is_nothing(edge, share):
    with nothing_changes(edge):
        session = RawSession(edge.mesh)
        frame = prepare_frame(edge, session)
        session.socket.sendall(frame[:share])
        session.close()


def test_nobody_gets_in_without_a_key(edge):
    secret = keys.read_fastpath_key(edge.mesh.home.root, "scavenger")
    strangers = {
        "unknown key id": ClientKey(999, "scavenger", secret.secret),
        "other principal": ClientKey(secret.key_id, "operator", secret.secret),
    }
    with nothing_changes(edge):
        for what, key in strangers.items():
            session = RawSession(edge.mesh, shake_hands=False, key=key)
            session.socket.sendall(session.wire.hello(b"", session.clock.boottime_ns()))
            assert session.read_frame() is None, what
            session.close()
        wrong = RawSession(
            edge.mesh,
            shake_hands=False,
            key=ClientKey(secret.key_id, secret.principal, bytes(32)),
        )
        wrong.socket.sendall(wrong.wire.hello(b"", wrong.clock.boottime_ns()))
        challenge = wrong.read_frame()
        wrong.socket.sendall(wrong.wire.answer_challenge(challenge, "test", 1))
        answer = wrong.read_frame()
        # Signed with the true key: the stranger can read the refusal, but never verify or forge it.
        assert answer is None or answer.frame_type == frames.FRAME_TYPE_REFUSED
        assert answer is None or wrong.read_frame() is None
        wrong.close()


def test_verbs_before_the_handshake_and_silence_are_cut_off(edge):
    with nothing_changes(edge):
        eager = RawSession(edge.mesh, shake_hands=False)
        eager.socket.sendall(b"TTN1" + bytes([1, PREPARE]) + bytes(86))
        assert eager.read_frame() is None
        eager.close()
        silent = RawSession(edge.mesh, shake_hands=False)
        assert silent.read_frame() is None
        silent.close()
