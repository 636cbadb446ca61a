"""Cuts what the contract is held against: descriptor image, catalogue, golden vectors.

Run by `make contract-release` only. Must never run as part of a test.
"""

from __future__ import annotations

import json
import pathlib
import random
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from contract.values import REPOSITORY, pb2_class, valid, wild
from google.protobuf import json_format

BASELINE = pathlib.Path(__file__).parent / "baseline"
VECTORS = pathlib.Path(__file__).parent / "vectors"
PER_MESSAGE = 3


def cut_baseline() -> None:
    """The image that buf compares with, and the catalogue of our own options."""
    BASELINE.mkdir(exist_ok=True)
    for name in ("titan.binpb", "catalogue.json"):
        shutil.copyfile(REPOSITORY / "gen/descriptor" / name, BASELINE / name)


def cut_vectors() -> None:
    """Vectors for every hot message and event; those already cut are kept as they are."""
    catalogue = json.loads((REPOSITORY / "gen/descriptor/catalogue.json").read_text())
    for name in sorted({*catalogue["hot"], *catalogue["events"]}):
        path = VECTORS / f"codec_{name.replace('.', '_')}.json"
        if not path.exists():
            path.write_text(json.dumps(_vectors(name), indent=1, ensure_ascii=True) + "\n")


def _vectors(name: str) -> list[dict[str, object]]:
    rng = random.Random(f"vectors {name}")
    messages = {"empty": pb2_class(name)()}
    messages |= {f"valid {i}": valid(name, rng) for i in range(PER_MESSAGE)}
    messages["wild"] = wild(name, rng)
    return [
        {
            "name": label,
            "message": name,
            "json": json_format.MessageToDict(message),
            "hex": message.SerializeToString(deterministic=True).hex(),
        }
        for label, message in messages.items()
    ]


if __name__ == "__main__":
    cut_baseline()
    cut_vectors()
