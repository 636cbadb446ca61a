"""Names of message headers.

Owns the names. Must never hold values.
"""

from __future__ import annotations

MSG_ID = "Nats-Msg-Id"
EVENT = "Titan-Event"
LSN = "Titan-Lsn"
EPOCH = "Titan-Epoch"
TRACEPARENT = "traceparent"
