"""Compiles a small extension that opens the generated Cython codecs to tests.

Owns the probe and its cache (.cache/, keyed by the generated files). Production code never sees it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import pathlib
import subprocess
import sys
import sysconfig
from types import ModuleType

from contract.values import REPOSITORY, contract_files
from protoc_gen_titan.model import snake

CYTHON = REPOSITORY / "gen/cython"
NAME = "hot_probe"
FUNCTION = """
def roundtrip_{name}(bytes data):
    cdef {struct} m
    cdef {struct} again
    cdef int64_t size
    cdef int code = decode_{name}(data, len(data), &m)
    if code:
        return code, 0, b"", 0
    cdef int32_t broken = check_{name}(&m)
    size = encode_{name}(&m, _out, sizeof(_out))
    return code, broken, _out[:size], size_{name}(&m)

def encode_small_{name}(bytes data, uint64_t cap):
    cdef {struct} m
    cdef uint8_t out[65536]
    if decode_{name}(data, len(data), &m):
        raise ValueError("does not decode")
    memset(out, 0xEE, sizeof(out))
    cdef int64_t size = encode_{name}(&m, out, cap)
    return size, out[cap] == 0xEE
"""
HEADER = """# cython: language_level=3
from libc.stdint cimport int32_t, int64_t, uint64_t, uint8_t
from libc.string cimport memset
from titan.wire cimport Slice, count_packed, in_charset, is_utf8, next_packed
"""
TAIL = """
cdef uint8_t _out[1 << 20]

def packed(bytes data):
    cdef Slice part
    cdef int64_t value = 0
    cdef int code
    part.data = data
    part.size = len(data)
    count, values = count_packed(part), []
    while True:
        code = next_packed(&part, &value)
        if code != 1:
            return code, values, count
        values.append(value)

def utf8(bytes data):
    return is_utf8(data, len(data))
"""


def hot_names() -> list[str]:
    """Full names of the hot messages."""
    catalogue = json.loads((REPOSITORY / "gen/descriptor/catalogue.json").read_text())
    return list(catalogue["hot"])


def load_probe() -> ModuleType:
    """The compiled probe, built when the generated files changed."""
    source = _source()
    digest = hashlib.sha256(source.encode())
    for path in sorted(CYTHON.rglob("*.pxd")):
        digest.update(path.read_bytes())
    folder = REPOSITORY / ".cache/hot_probe" / digest.hexdigest()[:16]
    built = folder / f"{NAME}.so"
    if not built.exists():
        _build(folder, source, built)
    spec = importlib.util.spec_from_file_location(NAME, built)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _source() -> str:
    lines = [HEADER]
    hot = set(hot_names())
    bodies = []
    for file in contract_files():
        structs = [m.name for m in file.message_type if f"{file.package}.{m.name}" in hot]
        if not structs:
            continue
        module = file.name.replace("/", ".").replace(".proto", "_hot")
        for struct in structs:
            name = snake(struct)
            verbs = ", ".join(f"{v}_{name}" for v in ("decode", "check", "encode", "size"))
            lines.append(f"from {module} cimport {struct}, {verbs}")
            bodies.append(FUNCTION.format(name=name, struct=struct))
    return "\n".join(lines) + TAIL + "".join(bodies)


def _build(folder: pathlib.Path, source: str, built: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pyx, c = folder / f"{NAME}.pyx", folder / f"{NAME}.c"
    pyx.write_text(source)
    cython = pathlib.Path(sys.executable).parent / "cython"
    _run(str(cython), "-3", "-I", str(CYTHON), "-o", str(c), str(pyx))
    scratch = folder / "scratch.so"
    _run(
        *("gcc", "-O1", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"),
        *("-Wno-unused-function", "-Wno-unused-parameter", "-Wno-maybe-uninitialized"),
        *(f"-I{sysconfig.get_paths()['include']}", str(c), "-o", str(scratch)),
    )
    scratch.rename(built)  # appears whole or not at all


def _run(*command: str) -> None:
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
