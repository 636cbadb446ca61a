"""How far the reports are applied, for those who wait for it.

Owns the number and its waiters. Must never go backwards.
"""

from __future__ import annotations

import asyncio


class Progress:
    """The applied LSN; grows."""

    def __init__(self, applied_lsn: int = 0) -> None:
        self.applied_lsn = applied_lsn
        self._changed = asyncio.Condition()

    async def advance(self, applied_lsn: int) -> None:
        """A batch was committed."""
        if applied_lsn <= self.applied_lsn:
            return
        async with self._changed:
            self.applied_lsn = applied_lsn
            self._changed.notify_all()

    async def reached(self, lsn: int, timeout_s: float) -> bool:
        """True once that LSN is applied; False after the time-out."""
        if self.applied_lsn >= lsn:
            return True
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: self.applied_lsn >= lsn)
        except TimeoutError:
            return False
        return True
