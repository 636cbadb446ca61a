"""Bounds and names that both ends of a call share.

Owns numbers. Must never hold behaviour.
"""

from __future__ import annotations

MAX_MESSAGE_BYTES = 4 << 20
MAX_CONCURRENT_RPCS = 512
MAX_DEADLINE_S = 3600.0
DEFAULT_TIMEOUT_S = 5.0
RECONNECT_MIN_MS = 100
RECONNECT_MAX_MS = 2000
AUTHORIZATION = "authorization"
