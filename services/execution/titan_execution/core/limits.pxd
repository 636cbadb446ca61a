# cython: language_level=3
"""Every maximum of the core's ground floor, by name.

Owns the numbers. Must never know what they bound beyond the comment; nothing here is computed at run time.
"""


cdef enum:
    # frames
    FRAME_PAYLOAD_MAX = 65536          # bytes of one payload
    FRAME_BYTES_MAX = 65628            # payload and 92 bytes around it
    # sessions
    SESSIONS_MAX = 64                  # FastPath connections at one time
    RECEIVE_BYTES = 262144             # receive buffer of one connection: at least one whole frame
    SEND_BYTES = 524288                # answers one connection may owe before it is dropped
    HANDSHAKE_NS = 250000000           # from accept to READY
    KEYS_MAX = 64                      # keys of the ring
    PRINCIPAL_MAX = 24                 # bytes of a principal's name
    # batches
    BATCH_EVENTS_MAX = 64              # descriptors one wake-up serves
    BATCH_FRAMES_MAX = 1024            # frames one connection may bring into one batch
    # venue link
    VENUE_FRAME_MAX = 1048576          # bytes of one venue message
    # rings
    RING_RECORD_MAX = 131072           # body of one ring record
    # journal
    SEGMENT_BYTES = 67108864           # one segment file
    SEGMENT_BYTES_MIN = 4096           # smallest a test may ask for
    SEGMENT_BYTES_MAX = 1073741824
    SEGMENT_HEADER_BYTES = 128
    RECORD_HEADER_BYTES = 49
    RECORD_BODY_MAX = 65536            # body of one journal record
    ACCOUNT_MAX = 24                   # bytes of an account's name
    SEGMENT_WAIT_MS = 10000            # how long a rotation waits for the next segment
