"""The wheels in a clean environment without a compiler: the SDK installs and stays light."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
UV = Path(sys.executable).parent / "uv"
FOREIGN = {"grpc", "ccxt", "sqlalchemy", "Cython", "titan_execution", "titan_book"}

USE = f"""
import sys
from importlib.metadata import distributions, version
import titan_sdk
from titan_sdk.testing import Bench
loaded = {{name.partition(".")[0] for name in sys.modules}}
print(",".join(sorted(loaded & {FOREIGN!r})))
print(",".join(sorted(d.metadata["Name"].lower() for d in distributions())))
print(version("titan-sdk"))
"""


def run(*command: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=REPOSITORY,
        env=env,
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that holds nothing but titan-sdk and what it asks for."""
    folder = tmp_path_factory.mktemp("author")
    dist = folder / "dist"
    for member in ("gen/python", "sdk/mesh", "sdk/python"):
        built = run(
            UV, "build", "-q", "--wheel", "--no-build-isolation", "--python", sys.executable,
            "--out-dir", dist, member,
        )  # fmt: skip
        assert built.returncode == 0, built.stderr
    assert sorted(path.name.partition("-")[0] for path in dist.glob("*.whl")) == [
        "titan_contracts",
        "titan_mesh",
        "titan_sdk",
    ]
    assert all(path.name.endswith("-py3-none-any.whl") for path in dist.glob("*.whl"))
    assert run(sys.executable, "-m", "venv", folder / "venv").returncode == 0
    python = folder / "venv" / "bin" / "python"
    pip = (python, "-m", "pip", "--disable-pip-version-check", "--retries", "1")
    without_compiler = {**os.environ, "CC": "/bin/false", "CXX": "/bin/false"}
    installed = run(*pip, "install", "-q", "--find-links", dist, "titan-sdk", env=without_compiler)
    if installed.returncode != 0 and run(*pip, "index", "versions", "nats-py").returncode != 0:
        pytest.skip("NO NETWORK: the package index does not answer, so nothing was installed")
    assert installed.returncode == 0, installed.stderr
    return python


@pytest.mark.e2e
def test_the_sdk_installs_without_a_compiler_and_stays_light(clean: Path) -> None:
    used = run(clean, "-I", "-c", USE)
    assert used.returncode == 0, used.stderr
    foreign, installed, version = used.stdout.splitlines()
    assert version.startswith("1!"), "the public index has a foreign project of this name"
    assert foreign == ""
    names = set(installed.split(","))
    assert {"titan-sdk", "titan-mesh", "titan-contracts", "betterproto2"} <= names
    assert not names & {"grpcio", "ccxt", "sqlalchemy", "cython", "titan-execution", "titan-market"}
