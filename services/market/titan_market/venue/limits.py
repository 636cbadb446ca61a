"""Every bound of the paper venue, in one place.

Owns numbers only. Must never hold behaviour.
"""

MAX_FRAME_BYTES = 1 << 20
MAX_CONNECTIONS = 64
MAX_ACCOUNTS = 64
MAX_ORDERS = 2_000_000
"""Orders ever taken; ids are never forgotten, so the venue refuses new ones beyond this."""
MAX_OPEN_ORDERS = 4_096
"""Open orders of one symbol; equals the table of titan_market.venue.matching."""
MAX_DELAYED_EVENTS = 65_536
"""Events held back for one connection by the latency model; beyond it the connection is closed."""
MAX_UNSENT_BYTES = 16 << 20
"""Bytes that one connection may leave unread; beyond it the connection is closed."""
FEED_PAUSE_BYTES = 1 << 20
"""Unread bytes of a trading connection at which the feed's next acknowledgement waits."""
SNAPSHOT_LEVELS = 5_000
"""Levels a side in the snapshot that a new connection gets."""
MAX_LOG_ENTRY_BYTES = 65_536
READ_CHUNK_BYTES = 1 << 18
