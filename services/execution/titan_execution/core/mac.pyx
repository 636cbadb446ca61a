# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""HMAC-SHA256 over copied SHA-256 states, HKDF, constant-time comparison, the key ring.

Owns key material in memory. Must never know frames, sessions or files.
The low-level SHA256_* calls are used on purpose: copying a state costs a memcpy, where re-starting
an EVP_MAC costs a third more for frames of our size (docs/FASTPATH.md has the figures).
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t
from libc.string cimport memcmp, memcpy, memset

from titan_mesh.errors import TitanError

from titan_execution.core.limits cimport KEYS_MAX, PRINCIPAL_MAX


cdef extern from "openssl/sha.h" nogil:
    int SHA256_Init(SHA256_CTX *ctx)
    int SHA256_Update(SHA256_CTX *ctx, const void *data, size_t size)
    int SHA256_Final(unsigned char *out, SHA256_CTX *ctx)


cdef extern from "openssl/crypto.h" nogil:
    int CRYPTO_memcmp(const void *a, const void *b, size_t size)
    void OPENSSL_cleanse(void *at, size_t size)


cdef enum:
    BLOCK_BYTES = 64
    DOMAIN_BYTES = 15                  # "titan.frame.v1" and its NUL
    INFO_MAX = 64


cdef void sha256(const uint8_t *data, int64_t size, uint8_t *out) noexcept nogil:
    cdef SHA256_CTX ctx
    SHA256_Init(&ctx)
    SHA256_Update(&ctx, data, <size_t>size)
    SHA256_Final(out, &ctx)


cdef void _key_schedule(const uint8_t *key, int64_t size, SHA256_CTX *inner,
                        SHA256_CTX *outer) noexcept nogil:
    """The two states every HMAC under this key starts from."""
    cdef uint8_t block[BLOCK_BYTES]
    cdef int i
    memset(block, 0, BLOCK_BYTES)
    if size > BLOCK_BYTES:
        sha256(key, size, block)
    else:
        memcpy(block, key, <size_t>size)
    for i in range(BLOCK_BYTES):
        block[i] ^= 0x36
    SHA256_Init(inner)
    SHA256_Update(inner, block, BLOCK_BYTES)
    for i in range(BLOCK_BYTES):
        block[i] ^= 0x36 ^ 0x5c
    SHA256_Init(outer)
    SHA256_Update(outer, block, BLOCK_BYTES)
    OPENSSL_cleanse(block, BLOCK_BYTES)


cdef inline void _finish(SHA256_CTX *inner, const SHA256_CTX *outer, uint8_t *out) noexcept nogil:
    cdef SHA256_CTX last = outer[0]
    SHA256_Final(out, inner)
    SHA256_Update(&last, out, MAC_BYTES)
    SHA256_Final(out, &last)


cdef void mac_key_set(MacKey *mac_key, const uint8_t *key) noexcept nogil:
    _key_schedule(key, KEY_BYTES, &mac_key.inner, &mac_key.outer)
    SHA256_Update(&mac_key.inner, b"titan.frame.v1", DOMAIN_BYTES)


cdef void mac_sign(const MacKey *mac_key, const uint8_t *data, int64_t size,
                   uint8_t *out) noexcept nogil:
    cdef SHA256_CTX inner = mac_key.inner
    SHA256_Update(&inner, data, <size_t>size)
    _finish(&inner, &mac_key.outer, out)


cdef bint mac_verify(const MacKey *mac_key, const uint8_t *data, int64_t size,
                     const uint8_t *mac) noexcept nogil:
    cdef uint8_t own[MAC_BYTES]
    mac_sign(mac_key, data, size, own)
    return CRYPTO_memcmp(own, mac, MAC_BYTES) == 0


cdef void mac_key_wipe(MacKey *mac_key) noexcept nogil:
    OPENSSL_cleanse(mac_key, sizeof(MacKey))


cdef void hmac_sha256(const uint8_t *key, int64_t key_size, const uint8_t *data, int64_t size,
                      uint8_t *out) noexcept nogil:
    cdef SHA256_CTX inner, outer
    _key_schedule(key, key_size, &inner, &outer)
    SHA256_Update(&inner, data, <size_t>size)
    _finish(&inner, &outer, out)
    OPENSSL_cleanse(&inner, sizeof(inner))
    OPENSSL_cleanse(&outer, sizeof(outer))


cdef void hkdf_sha256(const uint8_t *key, int64_t key_size, const uint8_t *salt, int64_t salt_size,
                      const uint8_t *info, int64_t info_size, uint8_t *out) noexcept nogil:
    """RFC 5869 with one block of output: 32 bytes are all we ever derive."""
    cdef uint8_t extracted[SHA256_BYTES]
    cdef SHA256_CTX inner, outer
    cdef uint8_t first = 1
    hmac_sha256(salt, salt_size, key, key_size, extracted)
    _key_schedule(extracted, SHA256_BYTES, &inner, &outer)
    SHA256_Update(&inner, info, <size_t>info_size)
    SHA256_Update(&inner, &first, 1)
    _finish(&inner, &outer, out)
    OPENSSL_cleanse(extracted, SHA256_BYTES)
    OPENSSL_cleanse(&inner, sizeof(inner))
    OPENSSL_cleanse(&outer, sizeof(outer))


cdef bint bytes_equal(const uint8_t *a, const uint8_t *b, int64_t size) noexcept nogil:
    """Takes the same time wherever they differ."""
    return CRYPTO_memcmp(a, b, <size_t>size) == 0


cdef void session_keys(const RingKey *ring_key, const uint8_t *client_nonce,
                       const uint8_t *server_nonce, MacKey *client_to_server,
                       MacKey *server_to_client) noexcept nogil:
    cdef uint8_t salt[2 * NONCE_BYTES]
    cdef uint8_t info[INFO_MAX]
    cdef uint8_t key[KEY_BYTES]
    cdef int32_t at = 13 + ring_key.principal_size
    memcpy(salt, client_nonce, NONCE_BYTES)
    memcpy(&salt[NONCE_BYTES], server_nonce, NONCE_BYTES)
    memcpy(info, b"titan/uds/v1|", 13)
    memcpy(&info[13], ring_key.principal, <size_t>ring_key.principal_size)
    memcpy(&info[at], b"|c2s", 4)
    hkdf_sha256(ring_key.key, KEY_BYTES, salt, 2 * NONCE_BYTES, info, at + 4, key)
    mac_key_set(client_to_server, key)
    memcpy(&info[at], b"|s2c", 4)
    hkdf_sha256(ring_key.key, KEY_BYTES, salt, 2 * NONCE_BYTES, info, at + 4, key)
    mac_key_set(server_to_client, key)
    OPENSSL_cleanse(key, KEY_BYTES)


cdef const RingKey *keyring_find(const KeyRing *ring, uint16_t key_id, const uint8_t *principal,
                                 int32_t principal_size) noexcept nogil:
    cdef int32_t i
    for i in range(ring.n_keys):
        if ring.keys[i].key_id == key_id:
            if ring.keys[i].principal_size != principal_size:
                return NULL
            if memcmp(ring.keys[i].principal, principal, <size_t>principal_size) != 0:
                return NULL
            return &ring.keys[i]
    return NULL


cdef class Keys:
    """The key ring: (key_id, principal, 32 key bytes) for every client that may connect."""

    def __init__(self, keys):
        cdef RingKey *slot
        cdef bytes name, key
        for key_id, principal, key in keys:
            name = principal.encode("ascii")
            _check_key(self.ring.n_keys, key_id, name, key)
            if any(self.ring.keys[i].key_id == key_id for i in range(self.ring.n_keys)):
                raise TitanError("KEY_ID_TWICE", "two keys carry the same id", field="key_id",
                                 value=key_id, hint="give each FastPath key its own id")
            slot = &self.ring.keys[self.ring.n_keys]
            slot.key_id = key_id
            slot.principal_size = <int32_t>len(name)
            memcpy(slot.principal, <const char *>name, <size_t>len(name))
            memcpy(slot.key, <const char *>key, KEY_BYTES)
            self.ring.n_keys += 1

    def __dealloc__(self):
        OPENSSL_cleanse(&self.ring, sizeof(KeyRing))

    def __len__(self):
        return self.ring.n_keys

    def principal_of(self, uint16_t key_id):
        """Who holds key_id, or None."""
        for i in range(self.ring.n_keys):
            if self.ring.keys[i].key_id == key_id:
                return self.ring.keys[i].principal[:self.ring.keys[i].principal_size].decode()
        return None

    def sign(self, uint16_t key_id, str principal, bytes client_nonce, bytes server_nonce,
             bint from_client, bytes data):
        """MAC of data in the session those nonces make: a window for tests; None for a stranger."""
        cdef bytes name = principal.encode()
        cdef MacKey c2s, s2c
        cdef uint8_t out[MAC_BYTES]
        cdef const RingKey *key = keyring_find(&self.ring, key_id,
                                               <const uint8_t *><const char *>name,
                                               <int32_t>len(name))
        if key == NULL or len(client_nonce) != NONCE_BYTES or len(server_nonce) != NONCE_BYTES:
            return None
        session_keys(key, <const uint8_t *><const char *>client_nonce,
                     <const uint8_t *><const char *>server_nonce, &c2s, &s2c)
        mac_sign(&c2s if from_client else &s2c, <const uint8_t *><const char *>data, len(data), out)
        mac_key_wipe(&c2s)
        mac_key_wipe(&s2c)
        return (<const char *>out)[:MAC_BYTES]


def _check_key(int32_t held, key_id, bytes name, bytes key):
    if held >= KEYS_MAX:
        raise TitanError("KEYS_TOO_MANY", "the key ring is full", field="keys", value=held + 1,
                         limit=KEYS_MAX, hint="remove keys nobody uses")
    if not 1 <= key_id <= 65535:
        raise TitanError("KEY_ID_INVALID", "key ids are 1 to 65535", field="key_id", value=key_id,
                         limit=65535, hint="rename the key file")
    if not 1 <= len(name) <= PRINCIPAL_MAX:
        raise TitanError("PRINCIPAL_INVALID", "a principal has 1 to 24 characters",
                         field="principal", value=len(name), limit=PRINCIPAL_MAX,
                         hint="rename the key file")
    if len(key) != KEY_BYTES:
        raise TitanError("KEY_SIZE", "a FastPath key has 32 bytes", field="key", value=len(key),
                         limit=KEY_BYTES, hint="make it again with `titan keys init`")


def frame_mac(bytes key, bytes data):
    """HMAC-SHA256(key, "titan.frame.v1\\0" || data): a window for tests."""
    cdef MacKey mac_key
    cdef uint8_t out[MAC_BYTES]
    if len(key) != KEY_BYTES:
        raise ValueError("key takes 32 bytes")
    mac_key_set(&mac_key, <const uint8_t *><const char *>key)
    mac_sign(&mac_key, <const uint8_t *><const char *>data, len(data), out)
    mac_key_wipe(&mac_key)
    return (<const char *>out)[:MAC_BYTES]


def frame_mac_fits(bytes key, bytes data, bytes mac):
    """Whether mac is the frame MAC of data: a window for tests."""
    cdef MacKey mac_key
    if len(key) != KEY_BYTES or len(mac) != MAC_BYTES:
        raise ValueError("key and mac take 32 bytes")
    mac_key_set(&mac_key, <const uint8_t *><const char *>key)
    return bool(mac_verify(&mac_key, <const uint8_t *><const char *>data, len(data),
                           <const uint8_t *><const char *>mac))


def hkdf(bytes key, bytes salt, bytes info):
    """32 bytes of HKDF-SHA256: a window for tests."""
    cdef uint8_t out[SHA256_BYTES]
    hkdf_sha256(<const uint8_t *><const char *>key, len(key),
                <const uint8_t *><const char *>salt, len(salt),
                <const uint8_t *><const char *>info, len(info), out)
    return (<const char *>out)[:SHA256_BYTES]


def digest(bytes data):
    """SHA-256: a window for tests."""
    cdef uint8_t out[SHA256_BYTES]
    sha256(<const uint8_t *><const char *>data, len(data), out)
    return (<const char *>out)[:SHA256_BYTES]
