"""Meshes for end-to-end tests: real processes, one mesh per module where its state allows."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from titan_testkit.edge import Edge
from titan_testkit.mesh import Mesh

MakeEdge = Callable[..., Edge]


def patient(policy: Path) -> None:
    """Time bounds for a machine that does much besides: else a late request is rightly refused."""
    document = json.loads(policy.read_text())
    document["venues"][0]["request_expiry_ms"] = 500
    document["instruments"][0]["max_book_age_ms"] = 20_000
    policy.write_text(json.dumps(document, indent=2) + "\n")


@pytest.fixture(scope="module")
def make_edge() -> Iterator[MakeEdge]:
    """Meshes of a module by their overrides of titan.toml; nothing is started yet."""
    made: list[Edge] = []
    folders: list[Path] = []

    def make(**overrides: str | int | bool) -> Edge:
        # Unix sockets need a short path, which pytest's own folders are not.
        folder = Path(tempfile.mkdtemp(prefix="t-"))
        folders.append(folder)
        mesh = Mesh(folder / "h", {name.replace("__", "."): v for name, v in overrides.items()})
        patient(mesh.home.policy)
        made.append(Edge(mesh))
        return made[-1]

    yield make
    for edge in made:
        edge.close()
        edge.mesh.close()
    for folder in folders:
        shutil.rmtree(folder)
