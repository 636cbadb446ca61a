"""`make gen`: runs buf with local plugins into a scratch tree, then swaps the generated trees.

Owns the roots of generated code and the environment of the tools. Must never know the contents.
Needs no network: every plugin is installed in the environment of the running interpreter.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOTS = ("gen", "sdk/python/titan_sdk/_pb")
DESCRIPTOR = "gen/descriptor/titan.binpb"


class GenerationError(Exception):
    """A tool refused the contract; the message is the tool's own."""


def generate(repository: pathlib.Path, out: pathlib.Path) -> None:
    """Writes all generated files of the repository's contract below `out`."""
    _run(["buf", "generate", "--template", "buf.gen.yaml", "-o", str(out)], repository)
    descriptor = out / DESCRIPTOR
    descriptor.parent.mkdir(parents=True, exist_ok=True)
    _run(
        [
            "buf",
            "build",
            "--exclude-source-info",
            "--as-file-descriptor-set",
            "-o",
            str(descriptor),
        ],
        repository,
    )


def replace(repository: pathlib.Path, out: pathlib.Path) -> None:
    """Swaps each generated root for the one below `out`; files that are no longer made vanish."""
    for root in ROOTS:
        target, fresh = repository / root, out / root
        _keep_unchanged(target, fresh)
        retired = out / "retired" / root
        retired.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target.rename(retired)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.rename(target)


def _keep_unchanged(old: pathlib.Path, fresh: pathlib.Path) -> None:
    """Carries modification times over, so that builds see only what really changed."""
    for path in sorted(fresh.rglob("*")):
        before = old / path.relative_to(fresh)
        if path.is_file() and before.is_file() and before.read_bytes() == path.read_bytes():
            shutil.copystat(before, path)


def _run(command: list[str], repository: pathlib.Path) -> None:
    tools = str(pathlib.Path(sys.executable).parent)
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join([tools, environment.get("PATH", "")])
    environment["PYTHONPATH"] = str(pathlib.Path(__file__).parent.parent)
    done = subprocess.run(
        command, cwd=repository, env=environment, text=True, capture_output=True, check=False
    )
    if done.returncode:
        raise GenerationError((done.stderr or done.stdout).strip())


def main() -> int:
    """Regenerates the repository of the current directory."""
    repository = pathlib.Path.cwd()
    cache = repository / ".cache"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gen-", dir=cache) as scratch:
        out = pathlib.Path(scratch)
        try:
            generate(repository, out)
        except GenerationError as error:
            print(error, file=sys.stderr)
            return 1
        replace(repository, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
