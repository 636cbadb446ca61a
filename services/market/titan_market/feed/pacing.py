"""When each event is due: recorded time over speed, from a movable origin.

Owns the schedule. Must never wait itself or read a clock.
"""

from __future__ import annotations

from titan_market.feed.limits import MAX_LAG_NS

SPEED_SCALE = 1_000


class Schedule:
    """Maps recorded_ns to BOOTTIME; speed is in thousandths so that all of it is integer."""

    def __init__(self, speed_milli: int) -> None:
        self._speed_milli = speed_milli
        self._recorded_origin_ns: int | None = None
        self._origin_ns = 0
        self.first_ns = 0
        self.moved_ns = 0

    def wait_ns(self, recorded_ns: int, now_ns: int) -> int:
        """How long until the event is due; 0 when it is. A late feed moves its schedule."""
        if self._recorded_origin_ns is None:
            self._recorded_origin_ns, self._origin_ns = recorded_ns, now_ns
            self.first_ns = recorded_ns
        elapsed = (recorded_ns - self._recorded_origin_ns) * SPEED_SCALE // self._speed_milli
        wait = self._origin_ns + elapsed - now_ns
        if wait < -MAX_LAG_NS:
            self._origin_ns -= wait
            self.moved_ns -= wait
            return 0
        return max(wait, 0)
