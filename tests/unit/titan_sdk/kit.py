"""What the SDK's tests share: the repository's instruments, ids and a desk on the test kit."""

from pathlib import Path

from titan_mesh.clock import ManualClock
from titan_mesh.ids import IdSource, SeededRng
from titan_sdk import Instruments

REPOSITORY = Path(__file__).parents[3]
INSTRUMENTS = REPOSITORY / "compose" / "instruments"


def instruments() -> Instruments:
    return Instruments.load(INSTRUMENTS)


def ids(seed: int = 1) -> IdSource:
    return IdSource(ManualClock(), SeededRng(seed))
