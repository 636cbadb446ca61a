"""Golden vectors of keys and MACs, and agreement of the compiled code with both twins."""

import hashlib

import pytest
from contract.reference import mac as reference
from hypothesis import given
from hypothesis import strategies as st
from titan_execution.core import mac
from titan_mesh.errors import TitanError
from titan_mesh.fastpath.mac import FrameMac, hkdf_sha256, session_key

SECRET = bytes(range(32))
SALT = bytes(range(0x10, 0x30))
INFO = b"titan/uds/v1|brain|c2s"
KEY = "e634e9bf0da2b81b8f7dc72348c5197f590ac3c28fb45f516c6351f56803fc17"
FRAME = (
    bytes.fromhex("54544e31011107000600000001000000000000000000f323845bd718")
    + hashlib.sha256(b"policy-example").digest()
    + bytes.fromhex("0a0474657374")
)
MAC = "39cab842471eac010e51d4bab94e973efa7f3be095d17a295fb5c6e55c6bbeb2"
key = st.binary(min_size=32, max_size=32)
nonce = st.binary(min_size=16, max_size=16)


def test_golden_session_key():
    assert mac.hkdf(SECRET, SALT, INFO).hex() == KEY
    assert hkdf_sha256(SECRET, SALT, INFO).hex() == KEY
    assert reference.hkdf(SECRET, SALT, INFO).hex() == KEY


def test_golden_frame_mac():
    assert mac.frame_mac(bytes.fromhex(KEY), FRAME).hex() == MAC
    assert FrameMac(bytes.fromhex(KEY)).sign(FRAME).hex() == MAC
    assert reference.frame_mac(bytes.fromhex(KEY), FRAME).hex() == MAC


@given(key, st.binary(max_size=2000))
def test_frame_mac_agrees(secret, data):
    ours = mac.frame_mac(secret, data)
    assert ours == reference.frame_mac(secret, data) == FrameMac(secret).sign(data)
    assert mac.frame_mac_fits(secret, data, ours)
    assert FrameMac(secret).verify(data, ours)


@given(key, st.binary(min_size=1, max_size=300), st.data())
def test_one_changed_bit_is_refused(secret, data, draw):
    good = mac.frame_mac(secret, data)
    changed = bytearray(data + good)
    bit = draw.draw(st.integers(0, 8 * len(changed) - 1))
    changed[bit // 8] ^= 1 << bit % 8
    assert not mac.frame_mac_fits(secret, bytes(changed[: len(data)]), bytes(changed[len(data) :]))


@given(st.binary(max_size=100), st.binary(max_size=100), st.binary(max_size=100))
def test_hkdf_and_digest_agree(secret, salt, info):
    assert mac.hkdf(secret, salt, info) == reference.hkdf(secret, salt, info)
    assert mac.digest(secret) == hashlib.sha256(secret).digest()


@given(key, st.sampled_from(["scavenger", "b", "x" * 24]), nonce, nonce, st.binary(max_size=200))
def test_sessions_agree_in_both_directions(secret, principal, client_nonce, server_nonce, data):
    keys = mac.Keys([(7, principal, secret)])
    for from_client, direction in ((True, "c2s"), (False, "s2c")):
        ours = keys.sign(7, principal, client_nonce, server_nonce, from_client, data)
        twin = reference.session_key(secret, principal, client_nonce, server_nonce, direction)
        assert ours == reference.frame_mac(twin, data)
        assert twin == session_key(
            secret, principal, client_nonce, server_nonce, direction.encode()
        )


def test_a_key_speaks_for_its_principal_only():
    keys = mac.Keys([(7, "scavenger", SECRET), (8, "bench", bytes(32))])
    assert len(keys) == 2
    assert keys.principal_of(8) == "bench"
    assert keys.principal_of(9) is None
    for key_id, principal in ((7, "bench"), (7, "scavenge"), (7, "scavengers"), (9, "scavenger")):
        assert keys.sign(key_id, principal, bytes(16), bytes(16), True, b"") is None


@pytest.mark.parametrize(
    ("held", "code"),
    [
        ([(0, "a", SECRET)], "KEY_ID_INVALID"),
        ([(65536, "a", SECRET)], "KEY_ID_INVALID"),
        ([(1, "", SECRET)], "PRINCIPAL_INVALID"),
        ([(1, "a" * 25, SECRET)], "PRINCIPAL_INVALID"),
        ([(1, "a", SECRET[:31])], "KEY_SIZE"),
        ([(1, "a", SECRET), (1, "b", SECRET)], "KEY_ID_TWICE"),
        ([(i, "a", SECRET) for i in range(1, 66)], "KEYS_TOO_MANY"),
    ],
)
def test_bad_keys_are_refused(held, code):
    with pytest.raises(TitanError) as refused:
        mac.Keys(held)
    assert refused.value.code == code
