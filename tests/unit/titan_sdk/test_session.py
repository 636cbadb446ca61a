"""Recorded sessions: what is written is what is read, and a bad line is named."""

from pathlib import Path

import pytest
from titan_mesh.errors import TitanError
from titan_sdk.testing import BookEvent, TradeEvent, read_session, write_session

EVENTS = [
    BookEvent("BTCUSDT", 1, True, 0, 5, [1, 2], [3, 4], [5], [6]),
    TradeEvent("BTCUSDT", 2, 5, 6, True),
]


@pytest.mark.parametrize("name", ["session.jsonl", "session.jsonl.gz"])
def test_a_session_survives_its_file(tmp_path: Path, name: str) -> None:
    assert write_session(tmp_path / name, EVENTS) == 2
    assert list(read_session(tmp_path / name)) == EVENTS


@pytest.mark.parametrize(
    "line", ["nonsense", "{}", '{"candle": {}}', '{"trade": {"symbol": "X"}}', "[1]"]
)
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "session.jsonl"
    write_session(path, EVENTS)
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(TitanError) as caught:
        list(read_session(path))
    assert (caught.value.code, caught.value.field) == ("SESSION_LINE", "session.jsonl:3")
