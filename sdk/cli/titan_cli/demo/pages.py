"""Evidence turned into the report's record. Must never add a figure that the evidence lacks."""

from __future__ import annotations

from dataclasses import dataclass

from titan.execution.v1 import execution_report_pb2 as report_pb2
from titan_mesh.instruments import load_instruments
from titan_mesh.policy_hash import load_policy

from titan_cli.demo import journal, outcome
from titan_cli.demo.outcome import Evidence
from titan_cli.demo.watch import Samples
from titan_cli.home import settings_file
from titan_cli.home.layout import Home
from titan_cli.operator import why
from titan_cli.operator.link import Link
from titan_cli.report.record import InstrumentGrid, RunRecord


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Where and when a run took place."""

    home: Home
    data: str | None
    started_ns: int
    ended_ns: int
    seconds: float
    market_seconds: int


async def explained_text(link: Link, evidence: Evidence) -> str:
    """`titan why` of the most telling order: one that the kill caught, else any that filled."""
    caught = [
        intent.client_order_id
        for kill in evidence.kills
        for intent in outcome.unanswered(evidence.journal, kill)
    ]
    filled = [
        name
        for name, promise in evidence.journal.by_order.items()
        if report_pb2.RECORD_KIND_FILL in promise.kinds()
    ]
    both = [name for name in caught if name in filled]
    for name in (*both[:1], *caught[:1], *filled[:1]):
        return why.as_text(await link.explain(name))
    return ""


def record_of(facts: RunFacts, evidence: Evidence, samples: Samples, explained: str) -> RunRecord:
    """Everything the page shows."""
    settings = settings_file.read(facts.home.toml)
    fills = outcome.fill_marks(evidence.entries)
    symbol = _busiest([fill.symbol for fill in fills], samples)
    grid = _grid(facts.home, symbol)
    source = f"recorded {symbol} from {facts.data}" if facts.data else f"synthetic {symbol}"
    seed = int(settings_file.text_of(settings, "feed", "seed"))
    return RunRecord(
        title="Titan demo",
        market=source if facts.data else f"{source}, seed {seed}",
        seed=seed,
        started_ns=facts.started_ns,
        seconds=(_last_moment(facts, samples) - facts.started_ns) / 1e9,
        market_seconds=facts.market_seconds,
        policy_hash=load_policy(facts.home.policy).hex,
        grid=grid,
        funnel=outcome.funnel_rows(evidence),
        rejects=outcome.reject_rows(evidence.funnel),
        conditions=outcome.conditions(evidence),
        net_pnl_nanos=int(evidence.funnel.net_pnl_nanos),
        fee_nanos=int(evidence.funnel.fee_nanos),
        truth_score=evidence.truth_score,
        mids=tuple(samples.mids.get(symbol, ())),
        fills=tuple(fill for fill in fills if fill.symbol == symbol),
        truth=tuple(samples.truth),
        kills=outcome.kill_marks(evidence),
        confirm_latency_us=journal.confirm_latencies_us(evidence.journal),
        venue_latency_us=journal.venue_latencies_us(evidence.journal),
        explained=explained,
        assumptions=_assumptions(settings, facts),
    )


def _last_moment(facts: RunFacts, samples: Samples) -> int:
    """The plots end where the last look was."""
    return max([facts.ended_ns, *(sample.at_ns for sample in samples.truth[-1:])])


def _busiest(symbols: list[str], samples: Samples) -> str:
    if symbols:
        return max(sorted(set(symbols)), key=symbols.count)
    return next(iter(sorted(samples.mids)), "")


def _grid(home: Home, symbol: str) -> InstrumentGrid:
    instruments = load_instruments(home.instruments)
    spec = instruments[symbol].spec if symbol else next(iter(instruments.values())).spec
    return InstrumentGrid(
        symbol=spec.symbol,
        tick_size=spec.tick_size,
        lot_size=spec.lot_size,
        nanos_per_tick_lot=spec.notional_nanos_per_tick_lot,
        currency=spec.settlement_currency,
    )


def _assumptions(settings: settings_file.Settings, facts: RunFacts) -> tuple[tuple[str, str], ...]:
    def said(section: str, key: str) -> str:
        return settings_file.text_of(settings, section, key)

    return (
        ("venue", "paper venue, its own process; price-time queue behind the visible book"),
        (
            "latency",
            f"venue answers after {said('venue', 'ack_delay_us')} us, "
            f"jitter {said('venue', 'jitter_us')} us",
        ),
        ("fees", "of the instrument file, rounded up to a nano"),
        ("market", f"speed {said('feed', 'speed')}, seed {said('feed', 'seed')}"),
        ("durability", said("execution", "durability")),
        ("policy hash", load_policy(facts.home.policy).hex),
        ("whole run", f"{facts.seconds:.1f} s with start and stop"),
    )
