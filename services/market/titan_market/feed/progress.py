"""run/feed.json: how far the feed is, for supervisors and people.

Owns the file's form. Must never be read back by the feed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(slots=True)
class FeedProgress:
    """What the file says; states: waiting, running, done, stopped, failed."""

    source: str
    speed: str
    state: str = "waiting"
    done: bool = False
    events: int = 0
    """Events handed to the venue."""
    trades: int = 0
    market_seconds: int = 0
    """Recorded time played so far."""
    total_market_seconds: int = 0
    """Length of the synthetic market; 0 when a recording's length is not known."""
    symbols: list[str] = field(default_factory=list)
    schedule_moved_ms: int = 0
    """Wall time by which slow consumers held the feed back."""
    venue_reconnects: int = 0
    consumer_pending: int = 0
    updated_ns: int = 0
    error: str = ""


def write_progress(path: Path, progress: FeedProgress) -> None:
    """Replaces the file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(json.dumps(asdict(progress)) + "\n", encoding="utf-8")
    fresh.replace(path)
