# cython: language_level=3
"""Records to wire and back: thin glue on the generated hot codecs."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from titan_execution.core.records cimport (
    Answer, Intent, IntentRef, Lease, Rejection, Report, Verdict, View,
)


# Decoders answer 0 or a RejectReason with its evidence; nothing is half-filled that a caller reads.
cdef int codec_prepare(const uint8_t *data, int32_t size, View *intent) noexcept nogil
cdef int codec_intent(View raw, Intent *out, Rejection *why) noexcept nogil
cdef int codec_confirm(const uint8_t *data, int32_t size, IntentRef *out) noexcept nogil
cdef int codec_intent_ref(const uint8_t *data, int32_t size, int frame_type,
                          IntentRef *out) noexcept nogil
cdef int codec_ping(const uint8_t *data, int32_t size, uint64_t *echo) noexcept nogil
cdef int codec_halt(const uint8_t *data, int32_t size, char *text, int32_t cap) noexcept nogil
cdef int codec_hello(const uint8_t *data, int32_t size, char *principal, uint8_t *nonce) noexcept nogil
cdef int codec_lease(const uint8_t *data, int32_t size, Lease *out, Rejection *why) noexcept nogil
cdef int codec_report(const uint8_t *data, int32_t size, Report *out) noexcept nogil

# Encoders answer the size, or -1 when it does not fit.
cdef int64_t encode_challenge_to(const uint8_t *nonce, uint8_t *out, int64_t cap) noexcept nogil
cdef int64_t encode_ready_to(const Answer *answer, const uint8_t *policy_hash, uint64_t epoch,
                             View account, uint8_t *out, int64_t cap) noexcept nogil
cdef int64_t encode_answer_to(const Answer *answer, uint8_t *out, int64_t cap) noexcept nogil
cdef int64_t encode_rejection_to(const Rejection *why, uint8_t *out, int64_t cap) noexcept nogil
cdef int64_t encode_report_to(const Report *report, uint8_t *out, int64_t cap) noexcept nogil
cdef int64_t encode_verdict_to(const Verdict *verdict, View account, const uint8_t *policy_hash,
                               uint8_t *out, int64_t cap) noexcept nogil
