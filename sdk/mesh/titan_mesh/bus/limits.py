"""Bounds of the bus runtime, each with its name.

Owns numbers. Must never hold behaviour.
"""

from __future__ import annotations

CONNECT_TIMEOUT_S = 2.0
"""One attempt to connect."""
CONNECT_GIVE_UP_S = 10.0
"""All attempts of the first connect together."""
RECONNECT_WAIT_S = 0.1
"""Between attempts to reconnect."""
MAX_RECONNECTS = 6000
"""Attempts before a lost connection is closed for good: ten minutes."""
MAX_PENDING_BYTES = 8 << 20
"""Bytes that wait for a lost connection before a publish is refused."""
PING_INTERVAL_S = 5
"""Between pings of an idle connection."""
PUBLISH_TIMEOUT_S = 2.0
"""Until a publish without answer counts as unknown."""
MAX_IN_FLIGHT = 256
"""Unanswered publishes of one window."""
FLUSH_TIMEOUT_S = 2
"""What an orderly close waits for its last publishes."""
API_TIMEOUT_S = 2.0
"""One request to the JetStream API."""
FETCH_BATCH = 256
"""Messages taken from a consumer at a time."""
FETCH_WAIT_S = 0.5
"""Longest wait of one fetch; bounds how long a stop takes."""
RETRY_FIRST_MS = 50
"""First delay after a failure of the bus; doubles."""
RETRY_MAX_MS = 2000
"""Largest such delay."""
GIVE_UP_S = 60.0
"""Time without any success after which a consumer reports that the bus is gone."""
EPHEMERAL_IDLE_S = 30
"""The server drops a live consumer that nobody asks for this long."""
NAK_FIRST_MS = 100
"""First redelivery delay of a consumer that declares none; doubles."""
NAK_MAX_MS = 5000
"""Largest such delay."""
