# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One FastPath connection, sans-I/O: handshake, authentication, one verb per frame, one answer each.

Owns the order of the handshake, counters and what a bad frame leads to. Must never know descriptors.
Nothing of an intent is bound to a session: it may end at any byte.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset, strlen

from titan_execution.core.codec cimport (
    codec_confirm, codec_halt, codec_hello, codec_intent_ref, codec_ping, codec_prepare,
    encode_answer_to, encode_challenge_to, encode_ready_to,
)
from titan_execution.core.control cimport on_halt
from titan_execution.core.engine cimport (
    answer_refused, on_abort, on_cancel, on_confirm, on_ping, on_prepare, on_status,
)
from titan_execution.core.frame cimport (
    FRAME_BYTES_MAX, FRAME_MAC_BYTES, FRAME_MORE, FRAME_OK, FRAME_OVERHEAD_BYTES, FRAME_OVERSIZE,
    FRAME_PREFIX_BYTES, Frame, frame_begin, frame_reader_free, frame_reader_init,
    frame_reader_next, frame_reader_reset, frame_sized, frame_unsigned,
)
from titan_execution.core.limits cimport BATCH_FRAMES_MAX, RECEIVE_BYTES, SEND_BYTES
from titan_execution.core.mac cimport (
    KeyRing, RingKey, keyring_find, mac_key_wipe, mac_sign, mac_verify, session_keys,
)
from titan_execution.core.policy cimport trading_state
from titan_execution.core.records cimport Answer, IntentRef, View
from titan_execution.core.reports cimport stages_have_room
from titan_execution.core.state cimport Engine, view_of
from titan_execution.core.vocabulary cimport *


cdef enum:
    ANSWER_ROOM = 1024      # largest answer frame, with its overhead


cdef int session_init(Session *session) noexcept nogil:
    """Takes the buffers of one connection, once; -1: no memory."""
    memset(session, 0, sizeof(Session))
    session.out = <uint8_t *>calloc(1, SEND_BYTES)
    if session.out == NULL:
        return -1
    return -1 if frame_reader_init(&session.reader, RECEIVE_BYTES) != FRAME_OK else 0


cdef void session_free(Session *session) noexcept nogil:
    mac_key_wipe(&session.client_to_server)
    mac_key_wipe(&session.server_to_client)
    frame_reader_free(&session.reader)
    free(session.out)
    session.out = NULL


cdef void session_open(Session *session, const uint8_t *server_nonce, int64_t now_ns) noexcept nogil:
    """A fresh connection on used buffers."""
    frame_reader_reset(&session.reader)
    memcpy(&session.server_nonce[0], server_nonce, 16)
    session.out_start = 0
    session.out_end = 0
    session.received = 0
    session.sent = 0
    session.principal_size = 0
    session.since_ns = now_ns
    session.state = SESSION_HELLO


# ---- frames out ---------------------------------------------------------------------------------

cdef uint8_t *_room(Session *session) noexcept nogil:
    """Where the next frame goes; NULL: the peer does not read."""
    if session.out_start == session.out_end:
        session.out_start = 0
        session.out_end = 0
    if session.out_end + ANSWER_ROOM > SEND_BYTES:
        return NULL
    return session.out + session.out_end


cdef void _seal(Session *session, const Engine *engine, uint8_t *at, int frame_type,
                int64_t payload_size) noexcept nogil:
    """Header, MAC and counter around a payload that is already in place."""
    cdef int64_t size
    session.sent += 1
    frame_begin(at, <uint8_t>frame_type, session.key_id, session.sent, engine.boottime_ns,
                &engine.policy.hash[0])
    size = frame_sized(at, <uint32_t>payload_size)
    mac_sign(&session.server_to_client, at, size, at + size)
    session.out_end += size + FRAME_MAC_BYTES


cdef int _send_answer(Session *session, const Engine *engine, const Answer *answer) noexcept nogil:
    cdef uint8_t *at = _room(session)
    cdef int64_t size
    if at == NULL:
        return SESSION_END
    size = encode_answer_to(answer, at + FRAME_PREFIX_BYTES, ANSWER_ROOM - FRAME_OVERHEAD_BYTES)
    if size < 0:
        return SESSION_END
    _seal(session, engine, at, answer.frame_type, size)
    return SESSION_OK


cdef int _fault(Session *session, const Engine *engine, const char *field, int64_t value,
                int64_t limit) noexcept nogil:
    """One coded refusal where the peer could verify it, then the end. Nothing was changed."""
    cdef Answer answer
    if session.state == SESSION_OPEN or session.state == SESSION_PROOF:
        answer_refused(&answer, NULL, REJECT_REASON_MALFORMED, value, limit, field)
        _send_answer(session, engine, &answer)
    session.state = SESSION_CLOSING
    return SESSION_END


# ---- handshake ----------------------------------------------------------------------------------

cdef int _hello(Session *session, const Engine *engine, const KeyRing *keys, const Frame *frame,
                SessionCounters *counters) noexcept nogil:
    cdef const RingKey *key
    cdef uint8_t *at
    cdef int64_t size
    if (frame.header.frame_type != FRAME_TYPE_HELLO or frame.header.counter != 0
            or codec_hello(frame.payload, <int32_t>frame.header.payload_size,
                           &session.principal[0], &session.client_nonce[0])):
        counters.bad_hello += 1
        return _fault(session, engine, b"hello", 0, 0)
    session.principal_size = <int32_t>strlen(&session.principal[0])
    session.key_id = frame.header.key_id
    key = keyring_find(keys, session.key_id, <const uint8_t *>&session.principal[0],
                       session.principal_size)
    if key == NULL:
        counters.bad_hello += 1
        return _fault(session, engine, b"hello.key_id", session.key_id, 0)
    session_keys(key, &session.client_nonce[0], &session.server_nonce[0],
                 &session.client_to_server, &session.server_to_client)
    at = _room(session)
    frame_begin(at, FRAME_TYPE_CHALLENGE, session.key_id, 0, engine.boottime_ns,
                &engine.policy.hash[0])
    size = encode_challenge_to(&session.server_nonce[0], at + FRAME_PREFIX_BYTES,
                               ANSWER_ROOM - FRAME_OVERHEAD_BYTES)
    session.out_end += frame_unsigned(at, <uint32_t>size)
    session.state = SESSION_PROOF
    return SESSION_OK


cdef int _authentic(Session *session, const Engine *engine, const Frame *frame,
                    SessionCounters *counters) noexcept nogil:
    """MAC over the bytes on the wire, then a counter that is exactly the next one."""
    if (frame.header.key_id != session.key_id
            or not mac_verify(&session.client_to_server, frame.signed_bytes, frame.signed_size,
                              frame.mac)):
        counters.bad_mac += 1
        return _fault(session, engine, b"frame.mac", 0, 0)
    if frame.header.counter != session.received + 1:
        counters.bad_counter += 1
        return _fault(session, engine, b"frame.counter", <int64_t>frame.header.counter,
                      <int64_t>session.received + 1)
    session.received += 1
    return SESSION_OK


cdef int _proof(Session *session, const Engine *engine, const Frame *frame,
                SessionCounters *counters) noexcept nogil:
    cdef Answer answer
    cdef uint8_t *at
    cdef int64_t size
    cdef int code = _authentic(session, engine, frame, counters)
    if code != SESSION_OK:
        return code
    if frame.header.frame_type != FRAME_TYPE_PROOF:
        counters.bad_frame += 1
        return _fault(session, engine, b"frame.type", frame.header.frame_type, FRAME_TYPE_PROOF)
    at = _room(session)
    answer.state = trading_state(engine)
    answer.boottime_ns = engine.boottime_ns
    size = encode_ready_to(&answer, &engine.policy.hash[0], engine.epoch,
                           view_of(&engine.account[0], engine.account_size),
                           at + FRAME_PREFIX_BYTES, ANSWER_ROOM - FRAME_OVERHEAD_BYTES)
    _seal(session, engine, at, FRAME_TYPE_READY, size)
    session.state = SESSION_OPEN
    counters.opened += 1
    return SESSION_OK


# ---- verbs --------------------------------------------------------------------------------------

cdef void _halt(Session *session, Engine *engine, const uint8_t *payload, int32_t size,
                Answer *answer) noexcept nogil:
    cdef char text[129]
    if codec_halt(payload, size, &text[0], 129):
        answer_refused(answer, NULL, REJECT_REASON_MALFORMED, 0, 0, b"text")
        return
    memset(answer, 0, sizeof(Answer))
    answer.lsn = on_halt(engine, BREAKER_CAUSE_OPERATOR,
                         view_of(&text[0], <int32_t>strlen(&text[0])),
                         view_of(&session.principal[0], session.principal_size))
    answer.frame_type = FRAME_TYPE_HALT_ACCEPTED
    answer.halt_epoch = engine.halt_epoch


cdef bint _dispatch(Session *session, Engine *engine, const Frame *frame,
                    Answer *answer) noexcept nogil:
    """One verb; False: a frame type that no client may send."""
    cdef const uint8_t *payload = frame.payload
    cdef int32_t size = <int32_t>frame.header.payload_size
    cdef int verb = frame.header.frame_type
    cdef View raw
    cdef IntentRef ref
    cdef uint64_t echo
    cdef bint bad = False
    if verb == FRAME_TYPE_PREPARE:
        bad = codec_prepare(payload, size, &raw) != 0
        if not bad:
            on_prepare(engine, raw, frame.policy_hash,
                       view_of(&session.principal[0], session.principal_size), answer)
    elif verb == FRAME_TYPE_CONFIRM:
        bad = codec_confirm(payload, size, &ref) != 0
        if not bad:
            on_confirm(engine, &ref, frame.policy_hash, answer)
    elif verb == FRAME_TYPE_PING:
        bad = codec_ping(payload, size, &echo) != 0
        if not bad:
            on_ping(engine, echo, answer)
    elif verb == FRAME_TYPE_HALT:
        _halt(session, engine, payload, size, answer)
    elif verb in (FRAME_TYPE_ABORT, FRAME_TYPE_STATUS, FRAME_TYPE_CANCEL):
        bad = codec_intent_ref(payload, size, verb, &ref) != 0
        if not bad and verb == FRAME_TYPE_ABORT:
            on_abort(engine, &ref, answer)
        elif not bad and verb == FRAME_TYPE_STATUS:
            on_status(engine, &ref, answer)
        elif not bad:
            on_cancel(engine, &ref, answer)
    else:
        return False
    if bad:
        answer_refused(answer, NULL, REJECT_REASON_MALFORMED, verb, 0, b"payload")
    return True


cdef int _serve(Session *session, Engine *engine, const KeyRing *keys, const Frame *frame,
                SessionCounters *counters) noexcept nogil:
    cdef Answer answer
    cdef int code
    counters.frames += 1
    if session.state == SESSION_HELLO:
        return _hello(session, engine, keys, frame, counters)
    if session.state == SESSION_PROOF:
        return _proof(session, engine, frame, counters)
    code = _authentic(session, engine, frame, counters)
    if code != SESSION_OK:
        return code
    if not _dispatch(session, engine, frame, &answer):
        counters.bad_frame += 1
        return _fault(session, engine, b"frame.type", frame.header.frame_type, 0)
    code = _send_answer(session, engine, &answer)
    if code != SESSION_OK:
        counters.slow += 1
        session.state = SESSION_CLOSING
    return code


cdef int session_step(Session *session, Engine *engine, const KeyRing *keys,
                      SessionCounters *counters) noexcept nogil:
    """Serves whole frames in the receive buffer, as many as one batch may hold."""
    cdef Frame frame
    cdef int code
    cdef int served = 0
    while session.state != SESSION_CLOSING:
        if served == BATCH_FRAMES_MAX or not stages_have_room(engine):
            return SESSION_AGAIN
        code = frame_reader_next(&session.reader, &frame)
        if code == FRAME_MORE:
            return SESSION_OK
        if code != FRAME_OK:
            counters.bad_frame += 1
            return _fault(session, engine,
                          b"frame.payload_size" if code == FRAME_OVERSIZE else b"frame.header",
                          frame.header.payload_size if code == FRAME_OVERSIZE else code, 65536)
        code = _serve(session, engine, keys, &frame, counters)
        if code != SESSION_OK:
            return code
        served += 1
    return SESSION_END
