"""Every bound of the feed, in one place.

Owns numbers only. Must never hold behaviour.
"""

VENUE_WINDOW = 256
"""Market events sent to the venue and not yet acknowledged."""
BATCH_EVENTS = 64
"""Events handed on in one go when the feed runs behind its schedule."""
MAX_LAG_NS = 250_000_000
"""A feed further behind its schedule than this moves the schedule instead of racing."""
SNAPSHOT_LEVELS = 2_000
"""Levels a side of the snapshots that a fresh venue connection gets."""
BUS_SNAPSHOT_LEVELS = 200
BUS_SNAPSHOT_EVERY_NS = 2_000_000_000
"""Wall time between whole books on the bus, for phases that start late."""
PROGRESS_EVERY_NS = 250_000_000
RECONNECT_FIRST_NS = 50_000_000
RECONNECT_MAX_NS = 1_000_000_000
RECONNECT_TRIES = 60
CLOSE_S = 2.0
"""Longest wait for the last acknowledgements."""
MAX_FRAME_BYTES = 1 << 20
"""Largest frame of the venue socket; an event beyond it is a fault of the source."""
MAX_CONSUMER_PENDING = 2_000
"""Market messages that the slowest bus consumer may be behind before the feed waits."""
CONSUMER_CHECK_EVERY_NS = 100_000_000
MAX_CONSUMER_WAIT_NS = 2_000_000_000
"""Longest wait for one consumer; afterwards it is taken for gone."""
BUS_CONNECT_S = 3.0
"""Longest wait for the bus at the start; the supervisor tries again."""
BUS_WINDOW = 512
"""Market messages on their way to the stream."""
BUS_TIMEOUT_S = 0.5
"""A message that the bus does not store in this time is dropped."""
MAX_CONSUMERS = 64
"""Readers of market data that are watched."""
