"""buf's gates: lint, format, and no break against the released contract."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys

import pytest
from contract.values import REPOSITORY

BASELINE = pathlib.Path(__file__).parent / "baseline/titan.binpb"
BUF = pathlib.Path(sys.executable).parent / "buf"

BREAKS = {
    "field renumbered": ("trading/v1/intent.proto", "int64 qty_lots = 10", "int64 qty_lots = 99"),
    "field type changed": (
        "execution/v1/execution_report.proto",
        "int64 fee_nanos = 22",
        "string fee_nanos = 22",
    ),
    "field renamed": (
        "execution/v1/execution_report.proto",
        "int64 position_lots = 36",
        "int64 position_size = 36",
    ),
    "field deleted": ("venue/v1/venue.proto", "  int64 fee_nanos = 5;\n", ""),
    "number reused": ("venue/v1/venue.proto", "int64 fee_nanos = 5", "string note = 5"),
    "enum value renumbered": ("trading/v1/order.proto", "SIDE_SELL = 2", "SIDE_SELL = 3"),
    "enum value deleted": ("trading/v1/order.proto", "  LIQUIDITY_TAKER = 2;\n", ""),
    "list made single": (
        "venue/v1/market.proto",
        "repeated int64 bid_qty_lots",
        "int64 bid_qty_lots",
    ),
    "field moved out of its oneof": (
        "venue/v1/market.proto",
        "    PublicTrade public_trade = 6;\n  }",
        "  }\n  // Moved out.\n  PublicTrade public_trade = 6;",
    ),
    "RPC made a stream": (
        "execution/v1/execution_service.proto",
        "returns (GetOrderResponse)",
        "returns (stream GetOrderResponse)",
    ),
    "request type changed": (
        "brain/v1/operator_service.proto",
        "rpc Halt(HaltRequest)",
        "rpc Halt(ResumeRequest)",
    ),
    "RPC deleted": (
        "dlq/v1/dead_letter_service.proto",
        "rpc PurgeDeadLetters(",
        "rpc EraseDeadLetters(",
    ),
}


def buf(*arguments: str, cwd: pathlib.Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BUF), *arguments], cwd=cwd, text=True, capture_output=True, check=False
    )


def test_lint():
    done = buf("lint")
    assert done.returncode == 0, done.stdout + done.stderr


def test_format():
    done = buf("format", "--diff", "--exit-code")
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_break_against_the_baseline():
    done = buf("breaking", "proto", "--against", str(BASELINE))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: pathlib.Path) -> pathlib.Path:
    shutil.copytree(REPOSITORY / "proto", tmp_path / "proto")
    shutil.copy(REPOSITORY / "buf.yaml", tmp_path / "buf.yaml")
    return tmp_path


def test_the_unchanged_copy_passes(copy: pathlib.Path):
    done = buf("breaking", "proto", "--against", str(BASELINE), cwd=copy)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("file", "before", "after"), BREAKS.values(), ids=BREAKS.keys())
def test_planted_break_is_refused(copy: pathlib.Path, file: str, before: str, after: str):
    path = copy / "proto/titan" / file
    text = path.read_text()
    assert before in text, "the planted break must touch the contract"
    path.write_text(text.replace(before, after, 1))
    assert buf("build", "proto", cwd=copy).returncode == 0, "a break, not a syntax error"
    done = buf("breaking", "proto", "--against", str(BASELINE), cwd=copy)
    assert done.returncode == 100, done.stdout + done.stderr
    assert file in done.stdout
