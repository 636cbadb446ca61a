"""The client against a server on a real socket: what it accepts, and how each fault is named."""

import hmac
from contextlib import closing

import pytest
from titan_mesh.clock import ManualClock, SystemClock
from titan_mesh.fastpath import ClientKey, FastPathClient, FastPathError, Session
from titan_mesh.fastpath.contract import ContractHandshake
from titan_mesh.fastpath.frame import PAYLOAD_MAX
from titan_mesh.ids import SeededRng
from unit.titan_mesh.fastpath.server_rig import PING, POLICY, PONG, Peer, faithful

SECRET = bytes(range(32))
SECOND = 1_000_000_000


@pytest.fixture
def start(tmp_path):
    """start(fault) -> (client, peer); both closed at the end."""
    opened = []

    def make(fault=faithful, secret=SECRET, clock=None, principal="scavenger"):
        path = tmp_path / "s"
        peer = Peer(path, SECRET, "scavenger", fault)
        client = FastPathClient(
            path,
            ClientKey(7, principal, secret),
            ContractHandshake(),
            clock or SystemClock(),
            SeededRng(1),
            session=Session(POLICY, b"i" * 32, "tests"),
        )
        opened.append((client, peer))
        return client, peer

    yield make
    for client, peer in opened:
        client.close()
        peer.close()


def soon() -> int:
    return SystemClock().boottime_ns() + 5 * SECOND


def code_of(call, *args) -> str:
    with pytest.raises(FastPathError) as refused:
        call(*args)
    return refused.value.code


def on_type(frame_type, change):
    """A fault that changes only frames of that type."""

    def fault(counter, kind, payload, frame):
        return change(frame) if kind == frame_type else frame

    return fault


def flip_last(frame: bytes) -> bytes:
    return frame[:-1] + bytes([frame[-1] ^ 1])


def test_a_session_opens_answers_and_counts(start):
    client, peer = start()
    ready = client.connect()
    assert (ready.policy_hash, ready.exec_epoch, ready.account) == (POLICY, 3, "paper")
    assert client.connected
    assert client.request(PING, b"one", soon()) == (PONG, b"one")
    batch = [(PING, bytes([number])) for number in range(200)]
    assert client.exchange(batch, soon()) == [(PONG, payload) for _, payload in batch]
    assert [frame.counter for frame in peer.seen] == list(range(203))
    assert peer.hello.principal == "scavenger"
    assert peer.hello.identity == b"i" * 32
    assert all(frame.policy_hash == POLICY for frame in peer.seen[1:])
    assert (client.metrics.requests, client.metrics.answers) == (201, 201)
    assert client.metrics.bytes_sent == sum(len(frame.signed) + 32 for frame in peer.seen)


def test_pipelining_is_bounded_and_in_order(start):
    client, _ = start()
    client.connect()
    client.send([(PING, b"a"), (PING, b"b")], soon())
    client.send([(PING, b"c")], soon())
    assert client.unanswered == 3
    assert [client.receive(soon())[1] for _ in range(3)] == [b"a", b"b", b"c"]
    assert code_of(client.send, [(PING, b"")] * 1025, soon()) == "WINDOW_FULL"
    assert code_of(client.send, [(PING, bytes(PAYLOAD_MAX + 1))], soon()) == "FRAME_OVERSIZE"
    assert client.request(PING, bytes(PAYLOAD_MAX), soon()) == (PONG, bytes(PAYLOAD_MAX))


def test_every_session_has_its_own_keys(start):
    client, peer = start()
    client.connect()
    client.request(PING, b"same", soon())
    client.connect()
    client.request(PING, b"same", soon())
    first, second = (frame for frame in peer.seen if frame.frame_type == PING)
    assert first.signed[12:20] == second.signed[12:20]
    assert first.mac != second.mac
    assert client.metrics.sessions == 2


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (on_type(PONG, flip_last), "FRAME_MAC"),
        (on_type(PONG, lambda frame: frame + frame), "FRAME_COUNTER"),
        (on_type(PONG, lambda frame: b"{" + frame), "FRAME_BAD_MAGIC"),
        (on_type(PONG, lambda frame: frame[:4] + b"\x02" + frame[5:]), "FRAME_BAD_VERSION"),
        (on_type(PONG, lambda f: f[:8] + b"\xff\xff\xff\x7f" + f[12:]), "FRAME_OVERSIZE"),
        (on_type(PONG, lambda frame: None), "CONNECTION_LOST"),
    ],
)
def test_a_bad_answer_ends_the_session(start, fault, code):
    client, _ = start(fault)
    client.connect()
    client.send([(PING, b"a"), (PING, b"b")], soon())

    def read_both():
        client.receive(soon())
        client.receive(soon())

    assert code_of(read_both) == code
    assert not client.connected
    assert client.metrics.losses[code] == 1
    assert code_of(client.request, PING, b"", soon()) == "NOT_CONNECTED"
    client.connect()
    assert client.connected


def test_an_answer_nobody_asked_for(start):
    client, peer = start()
    peer.eager = True
    client.connect()
    assert code_of(client.receive, soon()) == "NOTHING_ASKED"
    assert not client.connected


def test_no_answer_in_time(start):
    client, _ = start(on_type(PONG, lambda frame: b""))
    client.connect()
    client.send([(PING, b"a")], soon())
    assert code_of(client.receive, SystemClock().boottime_ns() + SECOND // 50) == "DEADLINE"
    assert not client.connected


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (on_type(65, flip_last), "SERVER_NOT_GENUINE"),
        (on_type(65, lambda frame: None), "AUTH_FAILED"),
        (on_type(65, lambda frame: frame[:5] + b"\x7f" + frame[6:]), "AUTH_FAILED"),
        (on_type(64, lambda frame: None), "AUTH_FAILED"),
        (on_type(64, lambda frame: frame[:5] + b"\x41" + frame[6:]), "FRAME_TYPE"),
        (on_type(64, lambda frame: frame[:60] + b"\xff" * 18 + frame[78:]), "PAYLOAD_MALFORMED"),
        (on_type(64, lambda frame: b""), "DEADLINE"),
    ],
)
def test_a_handshake_that_fails_sets_the_next_attempt(start, fault, code):
    client, _ = start(fault)
    before = SystemClock().boottime_ns()
    assert code_of(client.connect, SECOND // 5) == code
    assert not client.connected
    assert client.metrics.losses == {code: 1}
    assert before + SECOND // 2 <= client.next_attempt_at


def test_a_wrong_key_or_principal_is_not_let_in(start, tmp_path):
    client, peer = start(secret=bytes(32))
    assert code_of(client.connect) == "AUTH_FAILED"
    assert [frame.frame_type for frame in peer.seen] == [1, 2]


def test_a_deadline_that_passed_sends_nothing(start):
    client, peer = start()
    client.connect()
    assert code_of(client.request, PING, b"late", SystemClock().boottime_ns() - 1) == "DEADLINE"
    assert not client.connected
    assert [frame.frame_type for frame in peer.seen] == [1, 2]


def test_back_off_doubles_to_thirty_seconds_and_starts_over(tmp_path):
    clock = ManualClock()
    path = tmp_path / "nobody"
    client = FastPathClient(
        path, ClientKey(7, "scavenger", SECRET), ContractHandshake(), clock, SeededRng(3)
    )
    bounds = [1, 2, 4, 8, 16, 30, 30, 30]
    delays = []
    for bound in bounds:
        assert code_of(client.connect) == "CONNECT_FAILED"
        delay = client.next_attempt_at - clock.boottime_ns()
        assert bound * SECOND // 2 <= delay <= bound * SECOND
        delays.append(delay)
        clock.advance(delay)
    assert len(set(delays)) == len(delays)
    with closing(Peer(path, SECRET, "scavenger")):
        client.connect(60 * SECOND)
        client.close()
    assert code_of(client.connect) == "CONNECT_FAILED"
    assert client.next_attempt_at - clock.boottime_ns() <= SECOND


def test_arguments(tmp_path):
    key = ClientKey(7, "scavenger", SECRET)
    make = [ContractHandshake(), SystemClock(), SeededRng(1)]
    long = tmp_path / ("x" * 108)
    assert code_of(FastPathClient, long, key, *make) == "SOCKET_PATH_TOO_LONG"
    short = ClientKey(7, "scavenger", SECRET[:31])
    assert code_of(FastPathClient, tmp_path / "s", short, *make) == "AUTH_FAILED"
    assert SECRET.hex() not in repr(key)


def test_the_secret_never_crosses_the_socket(start):
    client, peer = start()
    client.connect()
    client.request(PING, b"x", soon())
    wire = b"".join(frame.signed + frame.mac for frame in peer.seen)
    assert SECRET not in wire
    assert hmac.digest(SECRET, b"", "sha256") not in wire
