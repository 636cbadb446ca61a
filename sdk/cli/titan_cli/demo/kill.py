"""kill -9 of Execution at an instant with an unanswered intent. Must never kill anything else.

The trigger is the venue's own log: it is written before the answer leaves, so an order that
has just appeared there is one that Execution has not heard about yet.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from titan.venue.v1 import order_log_pb2
from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError

from titan_cli.demo import journal
from titan_cli.demo.venue_log import LogTail
from titan_cli.home.layout import Home
from titan_cli.operator.link import Link
from titan_cli.supervisor.child import Child, ChildState

MAX_KILLS = 5
TRIGGER_SECONDS = 15.0
RECOVERY_SECONDS = 20.0
_POLL_SECONDS = 0.001
_STATE_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill and the epochs around it."""

    at_ns: int
    ready_again_ns: int
    epoch_before: int
    epoch_after: int


async def kill_in_flight(
    home: Home, link: Link, child: Child, order_log: LogTail, clock: Clock
) -> Kill:
    """Kills at the next order that reaches the venue; returns when the successor trades again."""
    before = await link.describe_state()
    order_log.fresh()
    first_pid = child.pid
    try:
        async with asyncio.timeout(TRIGGER_SECONDS):
            # The venue does not tell the auditor anything: its log is all there is.
            while not _order_taken(order_log):  # noqa: ASYNC110
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise TitanError(
            "NO_ORDER_TO_KILL",
            "no order reached the venue while the demo waited for one to kill at",
            "trigger",
            limit=f"{TRIGGER_SECONDS:.0f} s",
            hint=f"Read {home.log('scavenger')} and titan status: is new risk allowed?",
        ) from None
    child.kill()
    at_ns = clock.unix_ns()
    after = await _recovered(link, child, first_pid, before.exec_epoch)
    return Kill(at_ns, clock.unix_ns(), before.exec_epoch, after)


def _order_taken(order_log: LogTail) -> bool:
    taken = order_log_pb2.ORDER_LOG_KIND_ACCEPTED
    return any(entry.kind == taken for entry in order_log.fresh())


async def _recovered(link: Link, child: Child, first_pid: int, epoch_before: int) -> int:
    """Waits for a new process that is reconciled with its venues; its epoch."""
    try:
        async with asyncio.timeout(RECOVERY_SECONDS):
            while True:
                if child.state is ChildState.READY and child.pid not in (0, first_pid):
                    try:
                        state = await link.describe_state()
                    except TitanError:
                        state = None
                    if (
                        state is not None
                        and state.exec_epoch > epoch_before
                        and state.venues
                        and all(venue.reconciled for venue in state.venues)
                    ):
                        return int(state.exec_epoch)
                await asyncio.sleep(_STATE_POLL_SECONDS)
    except TimeoutError:
        raise TitanError(
            "NOT_RECOVERED",
            f"Execution did not recover after the kill\n{child.log_tail()}",
            "execution",
            child.state.value,
            f"{RECOVERY_SECONDS:.0f} s",
            hint="Read log/execution.log in the home.",
        ) from None


async def unanswered(link: Link, epoch: int) -> int:
    """How many intents of an epoch were confirmed and unanswered at its end."""
    reports = [report async for report in link.replay_reports(1)]
    return len(journal.unanswered_in(journal.fold(reports), epoch))
