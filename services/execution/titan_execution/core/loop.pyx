# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The duty cycle: read what is ready, step the engine, commit once, then let answers and orders out.

Owns every descriptor of the order path and the one rule that matters: nothing leaves before the
commit of the batch that made it. Must never know what a message means. Runs without the GIL for life.
"""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memmove, memset
from posix.unistd cimport close

from titan_execution.core.control cimport on_tick
from titan_execution.core.door cimport OUTPUT_ANSWER, OUTPUT_COMMITTED, OUTPUT_VERDICT, door_serve
from titan_execution.core.frame cimport frame_reader_filled, frame_reader_room
from titan_execution.core.host cimport EngineHost
from titan_execution.core.journal cimport (
    JOURNAL_OK, Journal, JournalState, journal_append, journal_commit,
)
from titan_execution.core.limits cimport BATCH_EVENTS_MAX, HANDSHAKE_NS, SESSIONS_MAX
from titan_execution.core.mac cimport Keys, KeyRing
from titan_execution.core.reports cimport RECORD_PREFIX
from titan_execution.core.ring cimport (
    RING_FULL, RING_OK, Ring, RingState, ring_arm, ring_clear_wake, ring_get, ring_put,
    ring_release, ring_wake,
)
from titan_execution.core.session cimport (
    SESSION_AGAIN, SESSION_CLOSING, SESSION_FREE, SESSION_OK, SESSION_OPEN, Session,
    SessionCounters, session_free, session_init, session_open, session_step,
)
from titan_execution.core.state cimport (
    LINK_UP, PLANT_ACK_BEFORE_WRITE, Engine, Stage, engine_at,
)
from titan_execution.core.venue_link cimport (
    LINK_AGAIN, LINK_OK, VenueLink, link_closed, link_collect, link_free, link_init, link_opened,
    link_room, link_step,
)


cdef extern from "titan_sockets.h" nogil:
    int titan_epoll()
    int titan_watch(int epoll, int fd, int tag, int writable)
    int titan_rewatch(int epoll, int fd, int tag, int writable)
    int titan_wait(int epoll, int *tags, int *bits, int limit, int timeout_ms)
    int titan_accept(int listener)
    int titan_same_user(int fd)
    int titan_connect(const char *path)
    int64_t titan_receive(int fd, uint8_t *to, int64_t size)
    int64_t titan_send(int fd, const uint8_t *data, int64_t size)
    int64_t titan_boottime()
    int64_t titan_unix()
    int titan_random(uint8_t *to, int size)
    int titan_pin(int cpu)
    void titan_pause_ns(int64_t ns)
    int TITAN_READ
    int TITAN_HUNG


cdef enum:
    TAG_LISTENER = 1000
    TAG_CONTROL = 1001
    TAG_VENUE = 1002
    CONTROL_BATCH = 64
    ANSWERS_BYTES = 4194304
    TICK_NS = 1000000
    WAIT_MS = 2
    RECONNECT_MIN_NS = 10000000
    RECONNECT_MAX_NS = 1000000000
    PLANTED_PAUSE_NS = 3000000

EXIT_STOPPED = 0
EXIT_JOURNAL = 70


cdef struct Connection:
    int fd                             # -1 = free
    int writing                        # 1 = epoll watches for room to write
    int ready                          # 1 = bytes wait in its reader
    Session session


cdef struct LoopState:
    Engine *engine
    JournalState *journal
    const KeyRing *keys
    RingState *control
    RingState *output
    Connection *connections
    VenueLink venue
    SessionCounters counters
    Stage answers
    int32_t open
    int epoll
    int listener
    int venue_fd
    int venue_writing
    int venue_ready
    int64_t reconnect_ns
    int64_t reconnect_wait_ns
    int64_t last_tick_ns
    int64_t spin_ns
    int64_t last_work_ns
    uint64_t told_lsn                  # newest committed LSN that Python was told
    int32_t fatal
    char venue_path[108]


# ---- journal ------------------------------------------------------------------------------------

cdef void _append(LoopState *loop) noexcept nogil:
    """Staged records into the journal, in order; nothing is committed yet."""
    cdef Stage *stage = &loop.engine.records
    cdef int64_t at = 0
    cdef uint32_t size
    cdef uint64_t lsn
    cdef int64_t written
    while at < stage.size and not loop.fatal:
        memcpy(&size, stage.bytes + at, 4)
        memcpy(&lsn, stage.bytes + at + 5, 8)
        written = journal_append(loop.journal, stage.bytes[at + 4],
                                 stage.bytes + at + RECORD_PREFIX, size)
        if written < 0 or <uint64_t>written != lsn:
            loop.fatal = 70
        at += RECORD_PREFIX + <int64_t>size
    stage.size = 0


cdef void _commit(LoopState *loop) noexcept nogil:
    _append(loop)
    if loop.journal.written_lsn > loop.journal.durable_lsn and not loop.fatal:
        if journal_commit(loop.journal) != JOURNAL_OK:
            loop.fatal = 70


# ---- FastPath connections -----------------------------------------------------------------------

cdef void _hang_up(LoopState *loop, Connection *connection) noexcept nogil:
    close(connection.fd)
    connection.fd = -1
    connection.ready = 0
    connection.session.state = SESSION_FREE
    loop.open -= 1


cdef void _accept(LoopState *loop) noexcept nogil:
    """Every waiting connection; beyond the limit and for other users they are closed at once."""
    cdef uint8_t nonce[16]
    cdef int fd, i
    while True:
        fd = titan_accept(loop.listener)
        if fd < 0:
            return
        i = 0
        while i < SESSIONS_MAX and loop.connections[i].fd >= 0:
            i += 1
        if i == SESSIONS_MAX or not titan_same_user(fd) or titan_random(nonce, 16) != 0:
            loop.counters.slow += 1
            close(fd)
            continue
        loop.connections[i].fd = fd
        loop.connections[i].writing = 0
        loop.connections[i].ready = 0
        session_open(&loop.connections[i].session, nonce, loop.engine.boottime_ns)
        loop.open += 1
        if titan_watch(loop.epoll, fd, i, 0) != 0:
            _hang_up(loop, &loop.connections[i])


cdef void _receive(LoopState *loop, Connection *connection) noexcept nogil:
    """Once per wake-up: level-triggered epoll brings us back, others get their turn."""
    cdef int64_t room
    cdef uint8_t *to = frame_reader_room(&connection.session.reader, &room)
    cdef int64_t n
    if room == 0:
        connection.ready = 1
        return
    n = titan_receive(connection.fd, to, room)
    if n > 0:
        frame_reader_filled(&connection.session.reader, n)
        connection.ready = 1
    elif n < 0:
        _hang_up(loop, connection)     # end or error: nothing of it is bound to the connection


cdef void _flush_session(LoopState *loop, int i) noexcept nogil:
    """One send for all answers of the batch; what does not fit waits for room."""
    cdef Connection *connection = &loop.connections[i]
    cdef Session *session = &connection.session
    cdef int64_t n
    if session.out_end > session.out_start:
        n = titan_send(connection.fd, session.out + session.out_start,
                       session.out_end - session.out_start)
        if n < 0:
            _hang_up(loop, connection)
            return
        session.out_start += n
    if session.out_start == session.out_end:
        if session.state == SESSION_CLOSING:
            _hang_up(loop, connection)
        elif connection.writing:
            connection.writing = 0
            titan_rewatch(loop.epoll, connection.fd, i, 0)
    elif not connection.writing:
        connection.writing = 1
        titan_rewatch(loop.epoll, connection.fd, i, 1)


cdef void _flush_early(LoopState *loop) noexcept nogil:
    """The planted bug of the kill test: answers leave before their records are written."""
    cdef int i
    for i in range(SESSIONS_MAX):
        if loop.connections[i].fd >= 0:
            _flush_session(loop, i)
    titan_pause_ns(PLANTED_PAUSE_NS)


cdef bint _step_sessions(LoopState *loop) noexcept nogil:
    """Serves what was received; True: somebody was left with whole frames."""
    cdef bint more = False
    cdef int i, code
    for i in range(SESSIONS_MAX):
        if loop.connections[i].fd < 0 or not loop.connections[i].ready:
            continue
        code = session_step(&loop.connections[i].session, loop.engine, loop.keys, &loop.counters)
        if loop.engine.plant == PLANT_ACK_BEFORE_WRITE:
            _flush_early(loop)
        _append(loop)
        loop.connections[i].ready = code == SESSION_AGAIN
        more = more or code == SESSION_AGAIN
    return more


cdef void _expire_handshakes(LoopState *loop) noexcept nogil:
    cdef int i
    cdef Connection *connection
    for i in range(SESSIONS_MAX):
        connection = &loop.connections[i]
        if (connection.fd >= 0 and connection.session.state != SESSION_OPEN
                and loop.engine.boottime_ns - connection.session.since_ns > HANDSHAKE_NS):
            loop.counters.slow += 1
            _hang_up(loop, connection)


# ---- venue --------------------------------------------------------------------------------------

cdef void _lose_venue(LoopState *loop) noexcept nogil:
    """The link is gone; the next attempt comes later each time, up to a second."""
    close(loop.venue_fd)
    loop.venue_fd = -1
    loop.venue_ready = 0
    link_closed(&loop.venue, loop.engine)
    _append(loop)
    loop.reconnect_ns = loop.engine.boottime_ns + loop.reconnect_wait_ns
    loop.reconnect_wait_ns = min(loop.reconnect_wait_ns * 2, <int64_t>RECONNECT_MAX_NS)


cdef void _reach_venue(LoopState *loop) noexcept nogil:
    if loop.venue_fd >= 0 or loop.engine.boottime_ns < loop.reconnect_ns or loop.engine.stopping:
        return
    loop.venue_fd = titan_connect(loop.venue_path)
    if loop.venue_fd < 0:
        loop.reconnect_ns = loop.engine.boottime_ns + loop.reconnect_wait_ns
        loop.reconnect_wait_ns = min(loop.reconnect_wait_ns * 2, <int64_t>RECONNECT_MAX_NS)
        return
    loop.venue_writing = 0
    link_opened(&loop.venue, loop.engine)
    if titan_watch(loop.epoll, loop.venue_fd, TAG_VENUE, 0) != 0:
        _lose_venue(loop)


cdef void _receive_venue(LoopState *loop) noexcept nogil:
    cdef int64_t room
    cdef uint8_t *to
    cdef int64_t n
    if loop.venue_fd < 0:
        return
    to = link_room(&loop.venue, &room)
    if room > 0:
        n = titan_receive(loop.venue_fd, to, room)
        if n < 0:
            _lose_venue(loop)
            return
        loop.venue.end += n
    loop.venue_ready = 1


cdef bint _step_venue(LoopState *loop) noexcept nogil:
    """Serves what the venue said; True: more whole messages wait."""
    cdef int code
    if loop.venue_fd < 0 or not loop.venue_ready:
        return False
    code = link_step(&loop.venue, loop.engine)
    _append(loop)
    loop.venue_ready = code == LINK_AGAIN
    if code < 0 or loop.engine.resync_wanted:
        loop.engine.resync_wanted = 0
        _lose_venue(loop)
        return False
    if loop.engine.link == LINK_UP:
        loop.reconnect_wait_ns = RECONNECT_MIN_NS
    return code == LINK_AGAIN


cdef void _flush_venue(LoopState *loop) noexcept nogil:
    cdef int64_t n
    cdef int wants
    if loop.venue_fd < 0:
        loop.engine.venue_out.size = 0
        return
    link_collect(&loop.venue, loop.engine)
    if loop.venue.out_end > loop.venue.out_start:
        n = titan_send(loop.venue_fd, loop.venue.out + loop.venue.out_start,
                       loop.venue.out_end - loop.venue.out_start)
        if n < 0:
            _lose_venue(loop)
            return
        loop.venue.out_start += n
    wants = loop.venue.out_end > loop.venue.out_start
    if wants != loop.venue_writing:
        loop.venue_writing = wants
        titan_rewatch(loop.epoll, loop.venue_fd, TAG_VENUE, wants)


# ---- Python -------------------------------------------------------------------------------------

cdef bint _serve_control(LoopState *loop) noexcept nogil:
    """Messages from Python; True: some are left."""
    cdef uint8_t kind
    cdef const uint8_t *body
    cdef uint32_t size
    cdef int served = 0
    ring_clear_wake(loop.control)
    while served < CONTROL_BATCH:
        if ring_get(loop.control, &kind, &body, &size) != RING_OK:
            if ring_arm(loop.control):
                return False
            continue
        if not door_serve(loop.engine, kind, body, size, loop.open, &loop.answers):
            return False               # answers are stuck; the next flush makes room
        ring_release(loop.control)
        _append(loop)
        served += 1
    return True


cdef void _flush_python(LoopState *loop) noexcept nogil:
    """Answers keep their place until there is room; verdicts are telemetry and may be dropped."""
    cdef Stage *stage = &loop.answers
    cdef int64_t at = 0
    cdef uint32_t size
    cdef bint put = False
    while at < stage.size:
        memcpy(&size, stage.bytes + at, 4)
        if ring_put(loop.output, OUTPUT_ANSWER, stage.bytes + at + 4, size) != RING_OK:
            break
        put = True
        at += 4 + <int64_t>size
    if at < stage.size and at:
        memmove(stage.bytes, stage.bytes + at, stage.size - at)
    stage.size -= at
    stage = &loop.engine.verdicts
    at = 0
    while at < stage.size:
        memcpy(&size, stage.bytes + at, 4)
        if ring_put(loop.output, OUTPUT_VERDICT, stage.bytes + at + 4, size) != RING_OK:
            loop.engine.counters.verdicts_dropped += 1
        else:
            put = True
        at += 4 + <int64_t>size
    stage.size = 0
    if loop.told_lsn != loop.journal.durable_lsn:
        loop.told_lsn = loop.journal.durable_lsn
        put = True                     # a full ring wakes Python just as well
        ring_put(loop.output, OUTPUT_COMMITTED, <const uint8_t *>&loop.told_lsn, 8)
    if put:
        ring_wake(loop.output)


# ---- the cycle ----------------------------------------------------------------------------------

cdef void _flush_sessions(LoopState *loop) noexcept nogil:
    cdef int i
    for i in range(SESSIONS_MAX):
        if loop.connections[i].fd >= 0:
            _flush_session(loop, i)


cdef int _wait(LoopState *loop, int *tags, int *bits, bint more) noexcept nogil:
    """What is ready; spins for a bounded time after work, then sleeps."""
    cdef int n = titan_wait(loop.epoll, tags, bits, BATCH_EVENTS_MAX, 0)
    if n or more:
        return n
    while loop.spin_ns and titan_boottime() - loop.last_work_ns < loop.spin_ns:
        n = titan_wait(loop.epoll, tags, bits, BATCH_EVENTS_MAX, 0)
        if n:
            return n
    return titan_wait(loop.epoll, tags, bits, BATCH_EVENTS_MAX, WAIT_MS)


cdef void _dispatch(LoopState *loop, int tag, int bits, bint *control) noexcept nogil:
    if tag == TAG_LISTENER:
        _accept(loop)
    elif tag == TAG_CONTROL:
        control[0] = True
    elif tag == TAG_VENUE:
        if bits & (TITAN_READ | TITAN_HUNG):
            _receive_venue(loop)
    elif loop.connections[tag].fd >= 0 and bits & (TITAN_READ | TITAN_HUNG):
        _receive(loop, &loop.connections[tag])


cdef bint _cycle(LoopState *loop, bint more) noexcept nogil:
    """One batch; True: work is left over, do not sleep."""
    cdef int tags[BATCH_EVENTS_MAX]
    cdef int bits[BATCH_EVENTS_MAX]
    cdef bint control = more
    cdef bint left = False
    cdef int n = _wait(loop, tags, bits, more)
    cdef int i
    engine_at(loop.engine, titan_boottime(), titan_unix())
    for i in range(n):
        _dispatch(loop, tags[i], bits[i], &control)
    if n:
        loop.last_work_ns = loop.engine.boottime_ns
    left = _step_venue(loop) or left
    left = _step_sessions(loop) or left
    if control:
        left = _serve_control(loop) or left
    if loop.engine.boottime_ns - loop.last_tick_ns >= TICK_NS:
        loop.last_tick_ns = loop.engine.boottime_ns
        on_tick(loop.engine)
        _append(loop)
        _expire_handshakes(loop)
        _reach_venue(loop)
    _commit(loop)
    if loop.fatal:
        return False
    _flush_venue(loop)
    _append(loop)
    _flush_sessions(loop)
    _flush_python(loop)
    return left


cdef int _run(LoopState *loop) noexcept nogil:
    cdef bint more = False
    ring_arm(loop.control)
    while not loop.fatal:
        more = _cycle(loop, more)
        if loop.engine.stopping and loop.answers.size == 0 and not more:
            _commit(loop)
            return loop.fatal
    return loop.fatal


cdef class Loop:
    """Binds one engine to its descriptors; run() belongs to a thread of its own."""

    cdef LoopState state
    cdef object _held

    def __cinit__(self, EngineHost host, Journal journal, Keys keys, Ring control, Ring output,
                  int listener, bytes venue_path, int64_t spin_us=0):
        cdef int i
        memset(&self.state, 0, sizeof(LoopState))
        if not 0 < len(venue_path) < 108:
            raise ValueError("venue path must have 1 to 107 bytes")
        self._held = (host, journal, keys, control, output)
        self.state.engine = host.engine
        self.state.engine.stopwatch = titan_boottime
        self.state.journal = &journal.state
        self.state.keys = &keys.ring
        self.state.control = control.state
        self.state.output = output.state
        self.state.listener = listener
        self.state.venue_fd = -1
        self.state.reconnect_wait_ns = RECONNECT_MIN_NS
        self.state.spin_ns = spin_us * 1000
        memcpy(&self.state.venue_path[0], <const char *>venue_path, len(venue_path))
        self.state.answers.bytes = <uint8_t *>calloc(1, ANSWERS_BYTES)
        self.state.answers.limit = ANSWERS_BYTES
        self.state.connections = <Connection *>calloc(SESSIONS_MAX, sizeof(Connection))
        self.state.epoll = titan_epoll()
        if (self.state.answers.bytes == NULL or self.state.connections == NULL
                or link_init(&self.state.venue) != 0 or self.state.epoll < 0):
            raise MemoryError("no memory for the loop's buffers")
        for i in range(SESSIONS_MAX):
            self.state.connections[i].fd = -1
            if session_init(&self.state.connections[i].session) != 0:
                raise MemoryError("no memory for a session's buffers")
        if (titan_watch(self.state.epoll, listener, TAG_LISTENER, 0) != 0
                or titan_watch(self.state.epoll, self.state.control.wake_fd, TAG_CONTROL, 0) != 0):
            raise OSError(errno, "epoll_ctl")

    def __dealloc__(self):
        cdef int i
        if self.state.connections != NULL:
            for i in range(SESSIONS_MAX):
                if self.state.connections[i].fd > 0:
                    close(self.state.connections[i].fd)
                session_free(&self.state.connections[i].session)
            free(self.state.connections)
        if self.state.venue_fd >= 0:
            close(self.state.venue_fd)
        if self.state.epoll > 0:
            close(self.state.epoll)
        link_free(&self.state.venue)
        free(self.state.answers.bytes)

    def run(self, int cpu=-1):
        """Runs until CONTROL_STOP (0) or a journal failure (70); holds no GIL meanwhile."""
        cdef int code
        if cpu >= 0 and titan_pin(cpu) != 0:
            raise OSError(errno, f"cannot pin to CPU {cpu}")
        with nogil:
            code = _run(&self.state)
        return code

    def counters(self):
        """Frames and faults of all sessions; a racy copy, for metrics."""
        cdef SessionCounters copy = self.state.counters
        return {"frames": copy.frames, "bad_mac": copy.bad_mac, "bad_counter": copy.bad_counter,
                "bad_frame": copy.bad_frame, "bad_hello": copy.bad_hello, "slow": copy.slow,
                "opened": copy.opened}
