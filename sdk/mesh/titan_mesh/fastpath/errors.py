"""What can end a FastPath session, with stable codes.

Owns the codes. Must never know sockets. After any of them what was sent is in doubt: ask STATUS.
"""

from __future__ import annotations

from titan_mesh.errors import TitanError

NOT_CONNECTED = "NOT_CONNECTED"
CONNECT_FAILED = "CONNECT_FAILED"
SOCKET_PATH_TOO_LONG = "SOCKET_PATH_TOO_LONG"
AUTH_FAILED = "AUTH_FAILED"
SERVER_NOT_GENUINE = "SERVER_NOT_GENUINE"
CONNECTION_LOST = "CONNECTION_LOST"
DEADLINE = "DEADLINE"
WINDOW_FULL = "WINDOW_FULL"
NOTHING_ASKED = "NOTHING_ASKED"
FRAME_BAD_MAGIC = "FRAME_BAD_MAGIC"
FRAME_BAD_VERSION = "FRAME_BAD_VERSION"
FRAME_OVERSIZE = "FRAME_OVERSIZE"
FRAME_TRUNCATED = "FRAME_TRUNCATED"
FRAME_MAC = "FRAME_MAC"
FRAME_COUNTER = "FRAME_COUNTER"
FRAME_TYPE = "FRAME_TYPE"
PAYLOAD_MALFORMED = "PAYLOAD_MALFORMED"


class FastPathError(TitanError):
    """The session cannot go on; code says why."""
