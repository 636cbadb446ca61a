# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Lease intake, the halt latch, the timer sweep.

Owns the trading state at the edge and everything that happens because time passed. Must never know
who called or how the time was read.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset, strlen

from titan_execution.core.engine cimport lapse_reservation, request_cancel, send_wanted_cancel
from titan_execution.core.policy cimport gate_deny, trading_state
from titan_execution.core.records cimport HASH_BYTES, Lease, Rejection, View
from titan_execution.core.reports cimport emit_state, stages_have_room
from titan_execution.core.resolve cimport resolve_due, sweep_tick
from titan_execution.core.shadow cimport is_terminal, phase_of, shadow_roll_day
from titan_execution.core.state cimport (
    FLAG_CANCEL_WANTED, LINK_UP, REPEATS_MAX, Engine, PhaseState, Slot, view_of,
)
from titan_execution.core.vocabulary cimport *


cdef void _deny(Rejection *why, int reason, int64_t value, int64_t limit,
                const char *field) noexcept nogil:
    cdef size_t i
    memset(why, 0, sizeof(Rejection))
    why.reason = reason
    why.value = value
    why.limit = limit
    for i in range(strlen(field)):
        why.field[i] = field[i]


cdef void _edge_changed(Engine *engine, int cause) noexcept nogil:
    """Journals a change of the effective state; silent when there is none."""
    cdef int state = trading_state(engine)
    if state == engine.edge_state:
        return
    engine.edge_state = state
    engine.edge_cause = cause
    emit_state(engine, RECORD_KIND_TRADING_STATE, state, cause, view_of(NULL, 0), view_of(NULL, 0))


# ---- lease --------------------------------------------------------------------------------------

cdef bint _lease_in_order(Engine *engine, const Lease *lease, Rejection *why) noexcept nogil:
    if (lease.account.size != engine.account_size
            or memcmp(lease.account.at, &engine.account[0], engine.account_size) != 0):
        _deny(why, REJECT_REASON_UNKNOWN_ACCOUNT, 0, 0, b"account")
        return False
    if memcmp(lease.policy_hash.at, &engine.policy.hash[0], HASH_BYTES) != 0:
        _deny(why, REJECT_REASON_POLICY_HASH_MISMATCH, 0, 0, b"policy_hash")
        return False
    if lease.brain_epoch < engine.lease.brain_epoch:
        _deny(why, REJECT_REASON_TOO_LATE, <int64_t>lease.brain_epoch,
              <int64_t>engine.lease.brain_epoch, b"brain_epoch")
        return False
    if (lease.brain_epoch == engine.lease.brain_epoch and engine.lease.granted
            and lease.lease_sequence <= engine.lease.sequence):
        _deny(why, REJECT_REASON_TOO_LATE, <int64_t>lease.lease_sequence,
              <int64_t>engine.lease.sequence, b"lease_sequence")
        return False
    if lease.state == TRADING_STATE_NORMAL and lease.halt_epoch < engine.halt_epoch:
        _deny(why, REJECT_REASON_TRADING_HALTED, <int64_t>lease.halt_epoch,
              <int64_t>engine.halt_epoch, b"halt_epoch")
        return False
    return True


cdef bint on_lease(Engine *engine, const Lease *lease, Rejection *why) noexcept nogil:
    """Obeys a newer lease from now on; its life counts from its receipt here."""
    cdef int32_t i, at
    cdef PhaseState *phase
    if not _lease_in_order(engine, lease, why):
        return False
    engine.lease.brain_epoch = lease.brain_epoch
    engine.lease.sequence = lease.lease_sequence
    engine.lease.expires_ns = engine.boottime_ns + <int64_t>lease.ttl_ms * 1000000
    engine.lease.max_gross_nanos = lease.max_gross_notional_nanos
    engine.lease.max_leverage_pct = lease.max_leverage_pct
    engine.lease.truth_score = lease.truth_score
    engine.lease.min_score_open = lease.min_score_open
    engine.lease.state = lease.state
    engine.lease.granted = 1
    for i in range(engine.n_phases):
        engine.phases[i].lease_notional_nanos = -1
        engine.phases[i].lease_allowed = 0
    for i in range(lease.n_budgets):
        at = phase_of(engine, lease.budgets[i].phase_id)
        if at >= 0:
            phase = &engine.phases[at]
            phase.lease_notional_nanos = lease.budgets[i].max_notional_nanos
            phase.lease_allowed = lease.budgets[i].allowed
    _edge_changed(engine, lease.cause)
    return True


# ---- latch --------------------------------------------------------------------------------------

cdef void _cancel_all(Engine *engine) noexcept nogil:
    cdef int32_t i = engine.n_open
    cdef Slot *slot
    while i > 0:
        i -= 1
        slot = &engine.slots[engine.open[i].slot]
        if slot.confirmed_lsn and not slot.cancel_lsn and not is_terminal(slot.ord_status):
            request_cancel(engine, engine.open[i].slot)


cdef uint64_t on_halt(Engine *engine, int cause, View text, View operator_id) noexcept nogil:
    """Latches HALTED, cancels everything that works; answers the LSN of the HALT record."""
    if engine.halted:
        return engine.halt_lsn
    engine.halted = 1
    engine.halt_epoch += 1
    engine.halt_cause = cause
    engine.edge_state = TRADING_STATE_HALTED
    engine.edge_cause = cause
    engine.halt_lsn = emit_state(engine, RECORD_KIND_HALT, TRADING_STATE_HALTED, cause, text,
                                 operator_id)
    _cancel_all(engine)
    return engine.halt_lsn


cdef void halt_if_wanted(Engine *engine) noexcept nogil:
    """Halts when an event of the venue contradicted the record: before anything else is served."""
    if engine.wants_halt:
        on_halt(engine, engine.wants_halt, view_of(NULL, 0), view_of(NULL, 0))
        engine.wants_halt = 0


cdef bint on_resume(Engine *engine, uint64_t halt_epoch, View text, View operator_id,
                    Rejection *why) noexcept nogil:
    """Lifts the halt that the caller names, to DEFENSIVE: a fresh lease decides the rest."""
    cdef int32_t i, k
    if halt_epoch != engine.halt_epoch:
        _deny(why, REJECT_REASON_TRADING_HALTED, <int64_t>halt_epoch,
              <int64_t>engine.halt_epoch, b"halt_epoch")
        return False
    if not engine.halted:
        return True
    engine.halted = 0
    engine.lease.expires_ns = 0
    for i in range(engine.n_phases):
        engine.phases[i].latched = 0
        for k in range(REPEATS_MAX):
            engine.phases[i].repeats[k].count = 0
    engine.edge_state = TRADING_STATE_DEFENSIVE
    engine.edge_cause = BREAKER_CAUSE_OPERATOR
    emit_state(engine, RECORD_KIND_RESUME, TRADING_STATE_DEFENSIVE, BREAKER_CAUSE_OPERATOR, text,
               operator_id)
    return True


cdef void on_defensive(Engine *engine, int cause, View text, View operator_id) noexcept nogil:
    """Revokes the lease in hand; the next one may raise the state again."""
    engine.lease.expires_ns = 0
    if engine.edge_state == TRADING_STATE_NORMAL:
        engine.edge_state = TRADING_STATE_DEFENSIVE
        engine.edge_cause = cause
        emit_state(engine, RECORD_KIND_TRADING_STATE, TRADING_STATE_DEFENSIVE, cause, text,
                   operator_id)


# ---- start and time -----------------------------------------------------------------------------

cdef void on_start(Engine *engine) noexcept nogil:
    """First record of the epoch, written when recovery is done."""
    cdef int state = TRADING_STATE_HALTED if engine.halted else TRADING_STATE_DEFENSIVE
    engine.edge_state = state
    engine.edge_cause = engine.halt_cause if engine.halted else BREAKER_CAUSE_START
    shadow_roll_day(engine, engine.unix_ns)
    emit_state(engine, RECORD_KIND_EPOCH, state, engine.edge_cause, view_of(NULL, 0),
               view_of(NULL, 0))


cdef void _due(Engine *engine) noexcept nogil:
    """Looks at every open slot once, backwards: removal swaps in what was looked at."""
    cdef int32_t i = engine.n_open
    cdef int64_t next_due = 0
    cdef Slot *slot
    cdef uint32_t at
    while i > 0:
        i -= 1
        if i >= engine.n_open:
            continue
        at = engine.open[i].slot
        slot = &engine.slots[at]
        if slot.deadline_ns != 0 and slot.deadline_ns <= engine.boottime_ns:
            slot.deadline_ns = 0
            if slot.intent_state == INTENT_STATE_PREPARED:
                lapse_reservation(engine, at)
                continue
            if stages_have_room(engine):
                resolve_due(engine, at)
            else:
                slot.deadline_ns = engine.boottime_ns + 1000000
        if slot.deadline_ns != 0 and (next_due == 0 or slot.deadline_ns < next_due):
            next_due = slot.deadline_ns
    engine.next_due_ns = next_due


cdef void on_tick(Engine *engine) noexcept nogil:
    """Everything that is due by now: lapses, time-outs, queries, cancels that waited, sweeps."""
    cdef int32_t i = engine.n_open
    shadow_roll_day(engine, engine.unix_ns)
    if not engine.halted:
        _edge_changed(engine, BREAKER_CAUSE_LEASE_LAPSED)
    if engine.next_due_ns != 0 and engine.next_due_ns <= engine.boottime_ns:
        _due(engine)
    if engine.n_cancel_wanted and engine.link == LINK_UP:
        i = engine.n_open
        while i > 0 and engine.n_cancel_wanted:
            i -= 1
            send_wanted_cancel(engine, engine.open[i].slot)
    sweep_tick(engine)
