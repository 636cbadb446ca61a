"""The run itself: market on, a kill in the middle, market off, everything at rest. Never counts.

Every wait has a bound and a condition; nothing sleeps and hopes.
"""

from __future__ import annotations

import asyncio

from titan.brain.v1 import brain_service_pb2
from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError
from titan_mesh.policy_hash import load_policy

from titan_cli.demo import intent_log, journal, kill, venue_log, watch
from titan_cli.demo.audit import audit
from titan_cli.demo.kill import Kill
from titan_cli.demo.outcome import Evidence
from titan_cli.home import settings_file
from titan_cli.home.layout import Home
from titan_cli.operator.link import Link
from titan_cli.supervisor.supervise import Say, Supervisor

KILL_AT_SHARE = 0.45
# The length of a recording is known only when it ends; this much any useful one has.
KILL_AT_RECORDED_S = 150
PLAY_SECONDS = 150.0
QUIET_SECONDS = 20.0
QUIET_POLLS = 3
POLL_SECONDS = 0.1
EXECUTION, SCAVENGER = "execution", "scavenger"


class Play:
    """One run in one home."""

    def __init__(
        self, home: Home, link: Link, supervisor: Supervisor, clock: Clock, say: Say
    ) -> None:
        self.started_ns = clock.unix_ns()
        self.ended_ns = self.started_ns
        self._home = home
        self._link = link
        self._supervisor = supervisor
        self._clock = clock
        self._say = say
        settings = settings_file.read(home.toml)
        self._order_log = home.root / settings_file.text_of(settings, "venue", "order_log")
        planned = int(settings_file.text_of(settings, "feed", "market_seconds"))
        recorded = settings_file.text_of(settings, "feed", "source") == "capture"
        half = int(planned * KILL_AT_SHARE)
        self._kill_at_second = min(half, KILL_AT_RECORDED_S) if recorded else half
        self.market_seconds = 0
        self._watcher = watch.Watcher(link, clock)
        self._last_score = 0

    @property
    def samples(self) -> watch.Samples:
        """What was seen meanwhile."""
        return self._watcher.samples

    async def to_the_end(self) -> Evidence:
        """Plays, kills, finishes; the evidence of a mesh at rest."""
        sampling = asyncio.create_task(self._watcher.run(), name="samples")
        failing = asyncio.create_task(self._supervisor.failed(), name="failure")
        playing = asyncio.create_task(self._through(), name="play")
        try:
            await asyncio.wait((playing, failing), return_when=asyncio.FIRST_COMPLETED)
            if failing.done():
                raise failing.result()
            return playing.result()
        finally:
            for task in (playing, sampling, failing):
                task.cancel()
            await asyncio.gather(playing, sampling, failing, return_exceptions=True)

    async def _through(self) -> Evidence:
        self._say("the market runs")
        await self._until_market(self._kill_at_second)
        kills = await self._kill_until_hit()
        await self._until_market(None)
        self.market_seconds = int(watch.feed_progress(self._home).get("market_seconds", 0))
        truth = await self._link.get_truth()
        self._say("the market is over; waiting until every report is applied")
        await self._supervisor.stop_one(SCAVENGER)
        funnel = await self._at_rest()
        self.ended_ns = self._clock.unix_ns()
        return await self._evidence(kills, funnel, int(truth.truth.score))

    async def _until_market(self, second: int | None) -> None:
        """Until the feed has played so far; None = to its end."""
        try:
            async with asyncio.timeout(PLAY_SECONDS):
                while True:
                    progress = watch.feed_progress(self._home)
                    state = progress.get("state", "")
                    if state == "failed":
                        raise self._feed_failed(str(progress.get("error", "")))
                    if state == "done":
                        return
                    if second is not None and progress.get("market_seconds", 0) >= second:
                        return
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise self._feed_failed("it did not get there in time") from None

    def _feed_failed(self, what: str) -> TitanError:
        progress = watch.feed_progress(self._home)
        return TitanError(
            "FEED_FAILED",
            f"the market did not play: {what}",
            "feed",
            f"{progress.get('state', 'silent')} at {progress.get('market_seconds', 0)} s",
            f"{PLAY_SECONDS:.0f} s",
            hint=f"Read {self._home.log('feed')}",
        )

    async def _kill_until_hit(self) -> list[Kill]:
        """Kills Execution until a kill caught an unanswered intent; bounded."""
        allowed = load_policy(self._home.policy).pb.restarts.max_restarts
        tail = venue_log.LogTail(self._order_log)
        child = self._supervisor.children[EXECUTION]
        kills: list[Kill] = []
        for _ in range(min(kill.MAX_KILLS, allowed)):
            done = await kill.kill_in_flight(self._home, self._link, child, tail, self._clock)
            kills.append(done)
            caught = await kill.unanswered(self._link, done.epoch_before)
            down_ms = (done.ready_again_ns - done.at_ns) // 1_000_000
            self._say(
                f"kill -9 of Execution: {caught} unanswered, recovered in {down_ms} ms, "
                f"epoch {done.epoch_before} to {done.epoch_after}"
            )
            if caught:
                break
        return kills

    async def _at_rest(self) -> brain_service_pb2.GetFunnelResponse:
        """Until nothing is unknown, in flight, unpublished or unapplied, seen several times."""
        calm = 0
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                while calm < QUIET_POLLS:
                    state = await self._link.describe_state()
                    funnel = await self._link.get_funnel()
                    unknown = sum(venue.unknown_orders for venue in state.venues)
                    resting = state.durable_lsn == state.published_lsn == funnel.applied_lsn
                    still = resting and not unknown and not state.prepared_intents
                    calm = calm + 1 if still else 0
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise TitanError(
                "NOT_AT_REST",
                f"{unknown} orders unknown, {state.prepared_intents} reserved",
                "lsn",
                f"durable {state.durable_lsn}, published {state.published_lsn}, "
                f"applied {funnel.applied_lsn}",
                f"equal within {QUIET_SECONDS:.0f} s",
                hint="Read log/execution.log and log/brain.log in the home.",
            ) from None
        return await self._link.get_funnel()

    async def _evidence(
        self, kills: list[Kill], funnel: brain_service_pb2.GetFunnelResponse, truth_score: int
    ) -> Evidence:
        reports = [report async for report in self._link.replay_reports(1)]
        folded = journal.fold(reports)
        author = intent_log.read(self._home.root)
        entries = venue_log.read(self._order_log)
        return Evidence(
            entries=entries,
            journal=folded,
            audit=audit(entries, folded, author, funnel),
            funnel=funnel,
            kills=tuple(kills),
            signals=len(author.logged | folded.by_intent.keys()),
            truth_score=truth_score,
        )
