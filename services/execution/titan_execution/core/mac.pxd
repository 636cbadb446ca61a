# cython: language_level=3
"""Keys and digests of the FastPath: frame MAC, session keys, SHA-256.

Owns HMAC-SHA256 with its key schedule computed once, HKDF-SHA256, constant-time comparison and the
key ring. Must never know frames, sessions or files; keys are handed in and wiped on the way out.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t

from titan_execution.core.limits cimport KEYS_MAX, PRINCIPAL_MAX


cdef extern from "openssl/sha.h" nogil:
    ctypedef struct SHA256_CTX:
        pass


cdef enum:
    MAC_BYTES = 32
    KEY_BYTES = 32
    NONCE_BYTES = 16
    SHA256_BYTES = 32


cdef struct MacKey:
    SHA256_CTX inner                   # after key ^ ipad and "titan.frame.v1\0"
    SHA256_CTX outer                   # after key ^ opad


cdef struct RingKey:
    uint8_t key[KEY_BYTES]
    char principal[PRINCIPAL_MAX]
    int32_t principal_size
    uint16_t key_id


cdef struct KeyRing:
    RingKey keys[KEYS_MAX]
    int32_t n_keys


# Frame MAC: HMAC-SHA256(key, "titan.frame.v1\0" || bytes).
cdef void mac_key_set(MacKey *mac_key, const uint8_t *key) noexcept nogil
cdef void mac_sign(const MacKey *mac_key, const uint8_t *data, int64_t size,
                   uint8_t *out) noexcept nogil
cdef bint mac_verify(const MacKey *mac_key, const uint8_t *data, int64_t size,
                     const uint8_t *mac) noexcept nogil
cdef void mac_key_wipe(MacKey *mac_key) noexcept nogil

cdef void sha256(const uint8_t *data, int64_t size, uint8_t *out) noexcept nogil
cdef void hmac_sha256(const uint8_t *key, int64_t key_size, const uint8_t *data, int64_t size,
                      uint8_t *out) noexcept nogil
cdef void hkdf_sha256(const uint8_t *key, int64_t key_size, const uint8_t *salt, int64_t salt_size,
                      const uint8_t *info, int64_t info_size, uint8_t *out) noexcept nogil
cdef bint bytes_equal(const uint8_t *a, const uint8_t *b, int64_t size) noexcept nogil

# Both directions of a session; names the principal in the key, so a key of one cannot speak for another.
cdef void session_keys(const RingKey *ring_key, const uint8_t *client_nonce,
                       const uint8_t *server_nonce, MacKey *client_to_server,
                       MacKey *server_to_client) noexcept nogil

# NULL unless key_id is known and belongs to that principal.
cdef const RingKey *keyring_find(const KeyRing *ring, uint16_t key_id, const uint8_t *principal,
                                 int32_t principal_size) noexcept nogil


cdef class Keys:
    # The key ring, filled from Python before the loop starts. Wiped when it dies.
    cdef KeyRing ring
