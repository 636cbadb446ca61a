"""The generated trees are exactly what the contract generates, twice over."""

from __future__ import annotations

import pathlib

import pytest
from contract.values import REPOSITORY
from protoc_gen_titan import pipeline


def tree(root: pathlib.Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    out = tmp_path_factory.mktemp("first")
    pipeline.generate(REPOSITORY, out)
    return out


@pytest.mark.parametrize("root", pipeline.ROOTS)
def test_generated_tree_is_fresh(first: pathlib.Path, root: str):
    wanted, found = tree(first / root), tree(REPOSITORY / root)
    assert wanted
    stale = sorted(name for name in wanted if found.get(name) != wanted[name])
    extra = sorted(set(found) - set(wanted))
    assert not stale, f"run make gen and commit: {stale}"
    assert not extra, f"not generated, remove: {extra}"


def test_two_runs_are_equal(first: pathlib.Path, tmp_path: pathlib.Path):
    pipeline.generate(REPOSITORY, tmp_path)
    assert tree(tmp_path) == tree(first)


def test_replace_removes_stale_files_and_keeps_times(tmp_path: pathlib.Path):
    repository, out = tmp_path / "repository", tmp_path / "out"
    for root in pipeline.ROOTS:
        (repository / root).mkdir(parents=True)
        (out / root).mkdir(parents=True)
        (repository / root / "stale.py").write_text("old")
        (repository / root / "same.py").write_text("same")
        (out / root / "same.py").write_text("same")
        (out / root / "new.py").write_text("new")
    before = (repository / "gen/same.py").stat().st_mtime_ns
    pipeline.replace(repository, out)
    for root in pipeline.ROOTS:
        assert sorted(p.name for p in (repository / root).iterdir()) == ["new.py", "same.py"]
    assert (repository / "gen/same.py").stat().st_mtime_ns == before


def test_a_refused_contract_changes_nothing(tmp_path: pathlib.Path):
    (tmp_path / "proto/titan/x/v1").mkdir(parents=True)
    (tmp_path / "proto/titan/x/v1/x.proto").write_text('syntax = "proto3"; package titan.x.v1; !')
    for name in ("buf.yaml", "buf.gen.yaml"):
        (tmp_path / name).write_text((REPOSITORY / name).read_text())
    with pytest.raises(pipeline.GenerationError, match=r"x\.proto"):
        pipeline.generate(tmp_path, tmp_path / "out")
