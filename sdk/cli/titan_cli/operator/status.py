"""`titan status`: is the picture true, may it trade, does all run. Must never change anything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from titan.brain.v1 import brain_service_pb2
from titan.execution.v1 import execution_control_service_pb2 as control_pb2
from titan.risk.v1 import trading_state_pb2
from titan.truth.v1 import truth_pb2
from titan_mesh.errors import TitanError

from titan_cli.home.layout import Home
from titan_cli.operator.link import Link
from titan_cli.output import span, table


@dataclass(frozen=True, slots=True)
class Picture:
    """What the parts of the mesh answered; None where one did not."""

    execution: control_pb2.DescribeStateResponse | None
    allocation: brain_service_pb2.GetAllocationResponse | None
    truth: brain_service_pb2.GetTruthResponse | None
    processes: dict[str, dict[str, Any]]
    silent: dict[str, str]
    """Part to the code of its silence."""


async def look(home: Home, link: Link) -> Picture:
    """Asks every part once."""
    silent: dict[str, str] = {}
    execution = allocation = truth = None
    try:
        execution = await link.describe_state()
    except TitanError as error:
        silent["execution"] = error.code
    try:
        allocation = await link.get_allocation()
        truth = await link.get_truth()
    except TitanError as error:
        silent["brain"] = error.code
    return Picture(execution, allocation, truth, _processes(home), silent)


def _processes(home: Home) -> dict[str, dict[str, Any]]:
    try:
        services = json.loads(home.state.read_text())["services"]
    except (OSError, ValueError, KeyError):
        return {}
    return dict(services)


def state_name(value: int) -> str:
    """NORMAL, DEFENSIVE, HALTED."""
    return _short(trading_state_pb2.TradingState, "TRADING_STATE_", value)


def cause_name(value: int) -> str:
    """What moved the breaker."""
    return _short(trading_state_pb2.BreakerCause, "BREAKER_CAUSE_", value)


def _short(enum: Any, prefix: str, value: int) -> str:
    if value not in enum.values():
        return str(value)
    return str(enum.Name(value)).removeprefix(prefix)


def as_fields(picture: Picture) -> dict[str, object]:
    """The picture for scripts."""
    fields: dict[str, object] = {"silent": picture.silent, "processes": picture.processes}
    if picture.execution is not None:
        edge = picture.execution
        fields["execution"] = {
            "state": state_name(edge.state),
            "cause": cause_name(edge.cause),
            "halt_epoch": edge.halt_epoch,
            "exec_epoch": edge.exec_epoch,
            "policy_hash": edge.policy_hash.hex(),
            "durable_lsn": edge.durable_lsn,
            "published_lsn": edge.published_lsn,
            "publish_lag": edge.durable_lsn - edge.published_lsn,
            "lease_remaining_ns": edge.lease_remaining_ns,
            "open_orders": edge.open_orders,
            "unknown_orders": sum(venue.unknown_orders for venue in edge.venues),
            "verdicts_dropped": edge.verdicts_dropped,
        }
    if picture.allocation is not None:
        allocation = picture.allocation
        fields["brain"] = {
            "state": state_name(allocation.state),
            "cause": cause_name(allocation.cause),
            "applied_lsn": allocation.applied_lsn,
            "halt_epoch": allocation.halt_epoch,
            "brain_epoch": allocation.lease.brain_epoch,
            "lease_sequence": allocation.lease.lease_sequence,
        }
    if picture.truth is not None:
        fields["truth"] = {
            "score": picture.truth.truth.score,
            "snapshot_age_ns": picture.truth.snapshot_age_ns,
            "components": {
                _component(part): {"weight": part.weight, "loss": part.loss, "value": part.value}
                for part in picture.truth.truth.components
            },
        }
    return fields


def _component(part: truth_pb2.TruthComponent) -> str:
    name = _short(truth_pb2.TruthComponentKind, "TRUTH_COMPONENT_KIND_", part.kind)
    return name.lower()


def as_text(picture: Picture) -> str:
    """The picture for people."""
    blocks = [_headline(picture)]
    if picture.truth is not None:
        blocks.append(_truth_block(picture.truth))
    if picture.execution is not None:
        blocks.append(_edge_block(picture.execution))
    if picture.allocation is not None:
        blocks.append(_lease_block(picture.allocation, picture.execution))
    if picture.processes:
        rows = [
            (
                name,
                str(entry["state"]),
                str(entry["pid"] or ""),
                str(entry["restarts"]),
            )
            for name, entry in picture.processes.items()
        ]
        blocks.append("processes\n" + _indented(table(rows, ("name", "state", "pid", "restarts"))))
    return "\n\n".join(blocks)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _headline(picture: Picture) -> str:
    if picture.execution is None:
        return f"Execution does not answer ({picture.silent.get('execution', '')})"
    edge = picture.execution
    words = f"{state_name(edge.state)}  ({cause_name(edge.cause)})"
    if state_name(edge.state) == "HALTED":
        epoch = edge.halt_epoch
        words += f"  lift it with: titan resume --operator op-a --epoch {epoch} --text WHY"
    if "brain" in picture.silent:
        words += f"\nthe Brain does not answer ({picture.silent['brain']}): reduce-only soon"
    return words


def _truth_block(answer: brain_service_pb2.GetTruthResponse) -> str:
    rows = [
        (_component(part), f"{part.weight - part.loss}/{part.weight}", part.value, part.remedy)
        for part in answer.truth.components
    ]
    head = f"truth score {answer.truth.score} of 100, snapshot {span(answer.snapshot_age_ns)} old"
    return head + ("\n" + _indented(table(rows)) if rows else "")


def _edge_block(edge: control_pb2.DescribeStateResponse) -> str:
    venues = [
        (
            f"venue {venue.venue}",
            ("connected" if venue.connected else "NOT CONNECTED")
            + (", reconciled" if venue.reconciled else ", NOT RECONCILED")
            + f", {venue.unknown_orders} unknown",
        )
        for venue in edge.venues
    ]
    books = [
        (
            f"book {book.symbol}",
            f"{book.bid_price_ticks} / {book.ask_price_ticks} ticks, {span(book.age_ns)} old"
            + ("" if book.live else ", NOT LIVE"),
        )
        for book in edge.books
    ]
    rows = [
        ("policy", edge.policy_hash.hex()),
        ("journal", f"epoch {edge.exec_epoch}, LSN {edge.durable_lsn} durable"),
        ("bus", f"LSN {edge.published_lsn}, lag {edge.durable_lsn - edge.published_lsn}"),
        ("orders", f"{edge.open_orders} open, {edge.prepared_intents} reserved"),
        (
            "since start",
            f"{edge.prepared_total} prepared, {edge.confirmed_total} confirmed, "
            f"{edge.refused_total} refused",
        ),
        *venues,
        *books,
    ]
    return f"edge (account {edge.account})\n" + _indented(table(rows))


def _lease_block(
    allocation: brain_service_pb2.GetAllocationResponse,
    edge: control_pb2.DescribeStateResponse | None,
) -> str:
    lease = allocation.lease
    left = f", {span(edge.lease_remaining_ns)} left" if edge is not None else ""
    rows = [
        ("lease", f"epoch {lease.brain_epoch}, number {lease.lease_sequence}{left}"),
        ("applied", f"LSN {allocation.applied_lsn}"),
    ]
    rows += [
        (
            f"budget {budget.phase_id}",
            f"{budget.max_notional_nanos / 1e9:,.2f}" + ("" if budget.allowed else ", NOT ALLOWED"),
        )
        for budget in lease.budgets
    ]
    head = f"brain {state_name(allocation.state)} ({cause_name(allocation.cause)})"
    return head + "\n" + _indented(table(rows))
