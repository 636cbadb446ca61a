# cython: language_level=3
"""Python window on the engine for tests: time, verbs, venue events in; answers and stages out.

Owns nothing of production: the loop never imports it. Every call is one step at the given time.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from titan_execution.core.codec cimport codec_lease, encode_answer_to, encode_rejection_to
from titan_execution.core.control cimport on_defensive, on_halt, on_lease, on_resume, on_tick
from titan_execution.core.door cimport CONTROL_STATE, door_serve
from titan_execution.core.engine cimport (
    on_abort, on_cancel, on_confirm, on_ping, on_prepare, on_status,
)
from titan_execution.core.frame cimport frame_reader_filled, frame_reader_room
from titan_execution.core.host cimport EngineHost
from titan_execution.core.mac cimport Keys
from titan_execution.core.order_id cimport ORDER_ID_SIZE, order_id_of
from titan_execution.core.records cimport Answer, IntentRef, Lease, Rejection, VenueEvent, View
from titan_execution.core.resolve cimport on_link_down
from titan_execution.core.session cimport (
    SESSION_AGAIN, SESSION_CLOSING, SESSION_OPEN, Session, SessionCounters, session_free,
    session_init, session_open, session_step,
)
from titan_execution.core.state cimport Engine, Stage, engine_at, view_of
from titan_execution.core.venue_codec cimport codec_venue_event
from titan_execution.core.venue_events cimport on_venue_event


cdef View _view(bytes data):
    return view_of(<const uint8_t *>data, <int32_t>len(data))


def order_id(bytes account not None, bytes intent_id not None, uint16_t leg=0):
    """client_order_id as the core derives it."""
    cdef char out[ORDER_ID_SIZE + 1]
    assert len(intent_id) == 16
    order_id_of(<const char *>account, <int32_t>len(account), <const uint8_t *>intent_id, leg, out)
    return (<bytes>out[:ORDER_ID_SIZE]).decode("ascii")


cdef class Probe:
    """The hand that steps the engine of a host."""

    cdef readonly EngineHost host
    cdef Engine *engine
    cdef Stage _answers

    def __cinit__(self, EngineHost host):
        self.host = host
        self.engine = host.engine
        self._answers.bytes = <uint8_t *>calloc(1, 1 << 20)
        self._answers.limit = 1 << 20

    def __dealloc__(self):
        free(self._answers.bytes)

    def at(self, int64_t boottime_ns, int64_t unix_ns):
        """Sets the time of the next steps."""
        engine_at(self.engine, boottime_ns, unix_ns)

    cdef tuple _out(self, Answer *answer):
        cdef uint8_t out[1024]
        cdef int64_t size = encode_answer_to(answer, out, 1024)
        assert size >= 0
        return answer.frame_type, (<const char *>out)[:size]

    def prepare(self, bytes raw not None, bytes frame_hash not None, bytes principal not None):
        """(frame type, payload) of the answer."""
        cdef Answer answer
        on_prepare(self.engine, _view(raw), <const uint8_t *>frame_hash, _view(principal), &answer)
        return self._out(&answer)

    cdef IntentRef _ref(self, bytes intent_id, uint64_t token):
        cdef IntentRef ref
        assert len(intent_id) == 16
        memcpy(&ref.intent_id[0], <const uint8_t *>intent_id, 16)
        ref.token = token
        return ref

    def confirm(self, bytes intent_id not None, uint64_t token, bytes frame_hash not None):
        """(frame type, payload) of the answer."""
        cdef Answer answer
        cdef IntentRef ref = self._ref(intent_id, token)
        on_confirm(self.engine, &ref, <const uint8_t *>frame_hash, &answer)
        return self._out(&answer)

    def abort(self, bytes intent_id not None):
        """(frame type, payload) of the answer."""
        cdef Answer answer
        cdef IntentRef ref = self._ref(intent_id, 0)
        on_abort(self.engine, &ref, &answer)
        return self._out(&answer)

    def status(self, bytes intent_id not None):
        """(frame type, payload) of the answer."""
        cdef Answer answer
        cdef IntentRef ref = self._ref(intent_id, 0)
        on_status(self.engine, &ref, &answer)
        return self._out(&answer)

    def cancel(self, bytes intent_id not None):
        """(frame type, payload) of the answer."""
        cdef Answer answer
        cdef IntentRef ref = self._ref(intent_id, 0)
        on_cancel(self.engine, &ref, &answer)
        return self._out(&answer)

    def ping(self, uint64_t echo):
        """(frame type, payload) of the answer."""
        cdef Answer answer
        on_ping(self.engine, echo, &answer)
        return self._out(&answer)

    def halt(self, int cause=2, bytes text=b"test", bytes operator_id=b"op-a"):
        """LSN of the HALT record."""
        return on_halt(self.engine, cause, _view(text), _view(operator_id))

    def resume(self, uint64_t halt_epoch):
        """True when lifted; else the encoded Rejection."""
        cdef Rejection why
        if on_resume(self.engine, halt_epoch, _view(b"test"), _view(b"op-a"), &why):
            return True
        return self._rejection(&why)

    def defensive(self, int cause=2):
        """Revokes the lease in hand."""
        on_defensive(self.engine, cause, _view(b"test"), _view(b"op-a"))

    cdef bytes _rejection(self, Rejection *why):
        cdef uint8_t out[512]
        cdef int64_t size = encode_rejection_to(why, out, 512)
        return (<const char *>out)[:size]

    def lease(self, bytes lease not None):
        """True when obeyed; else the encoded Rejection."""
        cdef Lease decoded
        cdef Rejection why
        if (codec_lease(<const uint8_t *>lease, <int32_t>len(lease), &decoded, &why) == 0
                and on_lease(self.engine, &decoded, &why)):
            return True
        return self._rejection(&why)

    def venue(self, bytes event not None):
        """One encoded VenueEvent."""
        cdef VenueEvent decoded
        assert codec_venue_event(<const uint8_t *>event, <int32_t>len(event), &decoded) == 0
        on_venue_event(self.engine, &decoded)

    def link_down(self):
        """The venue's socket is gone."""
        on_link_down(self.engine)

    def tick(self):
        """The timer."""
        on_tick(self.engine)

    def stopping(self):
        """The orderly stop has begun."""
        self.engine.stopping = 1

    def shift_policy(self, bytes previous_hash not None, int64_t until_ns):
        """A policy was activated: the previous hash still passes until then."""
        memcpy(&self.engine.policy.previous_hash[0], <const uint8_t *>previous_hash, 32)
        self.engine.policy.previous_until_ns = until_ns

    cdef list _take(self, Stage *stage):
        cdef int64_t at = 0
        cdef uint32_t size
        out = []
        while at < stage.size:
            memcpy(&size, stage.bytes + at, 4)
            out.append((<const char *>stage.bytes)[at + 4:at + 4 + size])
            at += 4 + <int64_t>size
        stage.size = 0
        return out

    def take_requests(self):
        """Encoded VenueRequests staged since the last call."""
        return self._take(&self.engine.venue_out)

    def take_verdicts(self):
        """Encoded PrepareVerdicts staged since the last call."""
        return self._take(&self.engine.verdicts)

    def state(self):
        """StateView and SymbolViews, packed as the output ring carries them."""
        cdef uint64_t correlation = 7
        self._answers.size = 0
        door_serve(self.engine, CONTROL_STATE, <const uint8_t *>&correlation, 8, 0, &self._answers)
        (answer,) = self._take(&self._answers)
        return answer[9:]

    def counters(self):
        """Counters of the engine."""
        counters = self.engine.counters
        return {"refused": counters.refused, "late_fills": counters.late_fills,
                "duplicate_fills": counters.duplicate_fills, "orphans": counters.orphans,
                "external_orders": counters.external_orders, "alarms": counters.alarms,
                "stale_events": counters.stale_events}

    @property
    def lapsed(self):
        """Places of reservations that ended without an order."""
        return self.engine.n_lapsed


cdef class SessionProbe:
    """One FastPath session without a socket."""

    cdef Session session
    cdef SessionCounters _counters
    cdef Probe _probe
    cdef Keys _keys

    def __cinit__(self, Probe probe, Keys keys, bytes server_nonce not None):
        self._probe = probe
        self._keys = keys
        assert len(server_nonce) == 16
        if session_init(&self.session) != 0:
            raise MemoryError("no memory for a session")
        session_open(&self.session, <const uint8_t *>server_nonce, probe.engine.boottime_ns)

    def __dealloc__(self):
        session_free(&self.session)

    def feed(self, bytes data not None):
        """Bytes from the client; the bytes it answers."""
        cdef int64_t room
        cdef uint8_t *to = frame_reader_room(&self.session.reader, &room)
        assert len(data) <= room
        memcpy(to, <const char *>data, len(data))
        frame_reader_filled(&self.session.reader, len(data))
        while session_step(&self.session, self._probe.engine, &self._keys.ring,
                           &self._counters) == SESSION_AGAIN:
            pass
        out = (<const char *>self.session.out)[self.session.out_start:self.session.out_end]
        self.session.out_start = self.session.out_end
        return out

    @property
    def open(self):
        """True: the handshake is done and nothing went wrong since."""
        return self.session.state == SESSION_OPEN

    @property
    def closing(self):
        """True: it ends once its answers have left."""
        return self.session.state == SESSION_CLOSING

    def counters(self):
        """Frames and faults."""
        return {"frames": self._counters.frames, "bad_mac": self._counters.bad_mac,
                "bad_counter": self._counters.bad_counter, "bad_frame": self._counters.bad_frame,
                "bad_hello": self._counters.bad_hello}
