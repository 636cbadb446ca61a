"""Key files under TITAN_HOME/keys: names, modes, reading; and the tokens of gRPC callers.

Owns the layout of the folder. Must never print a secret or take one from the environment;
operator_keys writes and signs.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from titan.options.v1.access_pb2 import Role

from titan_mesh.errors import AccessDenied, KeyFileError

KEY_BYTES = 32
MAX_KEYS = 256
MAX_KEY_ID = 65535
SECRET_MODE = 0o400
PUBLIC_MODE = 0o444
FOLDER_MODE = 0o700
SCHEME = "Titan"
_TOKEN_DOMAIN = b"titan.grpc.v1|"
_PRINCIPAL = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
_FASTPATH_NAME = re.compile(r"([1-9][0-9]{0,4})-([a-z][a-z0-9-]{0,31})\.key", re.ASCII)

_ROLES: dict[str, Role.ValueType] = {
    "brain": Role.ROLE_BRAIN,
    "execution": Role.ROLE_EXECUTION,
    "operator": Role.ROLE_OPERATOR,
    "console": Role.ROLE_CONSOLE,
}


@dataclass(frozen=True, slots=True)
class FastPathKey:
    """The long-lived secret of one FastPath principal."""

    key_id: int
    principal: str
    secret: bytes

    def __repr__(self) -> str:
        return f"FastPathKey(key_id={self.key_id}, principal={self.principal!r})"


def fastpath_folder(home: Path) -> Path:
    """Where FastPath secrets are."""
    return home / "keys" / "fastpath"


def grpc_folder(home: Path) -> Path:
    """Where gRPC secrets are."""
    return home / "keys" / "grpc"


def operators_folder(home: Path) -> Path:
    """Where operators' Ed25519 keys are."""
    return home / "keys" / "operators"


def read_fastpath_keys(home: Path) -> dict[int, FastPathKey]:
    """Every FastPath key by key_id; what Execution's listener needs."""
    folder = fastpath_folder(home)
    keys: dict[int, FastPathKey] = {}
    for path in _list(folder, ".key"):
        match = _FASTPATH_NAME.fullmatch(path.name)
        if match is None or int(match[1]) > MAX_KEY_ID:
            raise _fault(
                "KEY_FILE_NAME", path, path.name, f"<key_id 1..{MAX_KEY_ID}>-<principal>.key"
            )
        key = FastPathKey(int(match[1]), match[2], _read(path, SECRET_MODE))
        if key.key_id in keys:
            raise _fault("KEY_ID_TWICE", path, str(key.key_id), "each key_id once")
        keys[key.key_id] = key
    return keys


def read_fastpath_key(home: Path, principal: str) -> FastPathKey:
    """The FastPath key of one principal; with several, the one with the highest key_id."""
    folder = fastpath_folder(home)
    _check_folder(folder)
    found = [
        (int(match[1]), path)
        for path in _list(folder, ".key")
        if (match := _FASTPATH_NAME.fullmatch(path.name)) and match[2] == principal
    ]
    if not found:
        raise _fault("KEY_FILE_MISSING", folder, principal, f"<key_id>-{principal}.key")
    key_id, path = max(found)
    return FastPathKey(key_id, principal, _read(path, SECRET_MODE))


def read_grpc_keys(home: Path) -> dict[str, bytes]:
    """Every gRPC secret by principal; what a server needs."""
    return {path.stem: _read(path, SECRET_MODE) for path in _list(grpc_folder(home), ".key")}


def read_grpc_key(home: Path, principal: str) -> bytes:
    """The gRPC secret of one principal."""
    folder = grpc_folder(home)
    _check_folder(folder)
    return _read(folder / f"{principal}.key", SECRET_MODE)


def read_operator_publics(home: Path) -> dict[str, bytes]:
    """Ed25519 public keys by operator_id; what checks a Resume."""
    return {path.stem: _read(path, PUBLIC_MODE) for path in _list(operators_folder(home), ".pub")}


def read_operator_private(home: Path, operator_id: str) -> bytes:
    """The Ed25519 private key of one operator; what signs a Resume."""
    folder = operators_folder(home)
    _check_folder(folder)
    return _read(folder / f"{operator_id}.key", SECRET_MODE)


def role_of(principal: str) -> Role.ValueType:
    """Role of a proven principal; whoever has no role of its own is a phase."""
    return _ROLES.get(principal, Role.ROLE_PHASE)


def token_of(principal: str, secret: bytes) -> str:
    """Value of the `authorization` metadata that proves a principal."""
    return f"{SCHEME} {principal}.{_mac(principal, secret).hex()}"


def principal_of(token: str, secrets: dict[str, bytes]) -> str:
    """The principal a token proves; AccessDenied for anything else, in constant time."""
    scheme, _, rest = token.partition(" ")
    principal, _, claimed = rest.partition(".")
    secret = secrets.get(principal, bytes(KEY_BYTES))
    genuine = hmac.compare_digest(_mac(principal, secret).hex().encode(), claimed.encode())
    if scheme != SCHEME or not genuine or principal not in secrets:
        raise AccessDenied(
            "TOKEN_INVALID",
            "the authorization token is not genuine",
            "authorization",
            principal if _PRINCIPAL.fullmatch(principal) else "",
            f"{SCHEME} <principal>.<64 hex digits>",
            hint="Use the key file of the same TITAN_HOME.",
        )
    return principal


def _mac(principal: str, secret: bytes) -> bytes:
    return hmac.digest(secret, _TOKEN_DOMAIN + principal.encode(), hashlib.sha256)


def _list(folder: Path, suffix: str) -> list[Path]:
    _check_folder(folder)
    paths = sorted(path for path in folder.iterdir() if path.name.endswith(suffix))
    if not 0 < len(paths) <= MAX_KEYS:
        raise _fault(
            "KEY_FILE_MISSING", folder, f"{len(paths)} files", f"1 to {MAX_KEYS} *{suffix}"
        )
    return paths


def _check_folder(folder: Path) -> None:
    try:
        mode = stat.S_IMODE(folder.stat().st_mode)
    except OSError as fault:
        raise _fault(
            "KEY_FILE_MISSING", folder, str(fault.strerror), "a folder of mode 0700"
        ) from None
    if mode & ~FOLDER_MODE:
        raise _fault("KEY_FILE_MODE", folder, f"{mode:04o}", f"at most {FOLDER_MODE:04o}")


def _read(path: Path, widest: int) -> bytes:
    """The bytes of a key file; its mode is taken from the open file, so no swap can hide it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as fault:
        raise _fault(
            "KEY_FILE_MISSING", path, str(fault.strerror), "a readable file, no symbolic link"
        ) from None
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(file.fileno())
        mode = stat.S_IMODE(facts.st_mode)
        if not stat.S_ISREG(facts.st_mode) or mode & ~widest:
            raise _fault(
                "KEY_FILE_MODE", path, f"{mode:04o}", f"a plain file, at most {widest:04o}"
            )
        if facts.st_uid not in (0, os.geteuid()):
            raise _fault("KEY_FILE_OWNER", path, str(facts.st_uid), f"uid {os.geteuid()} or 0")
        text = file.read(2 * KEY_BYTES + 2).strip()
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise _fault(
            "KEY_FILE_INVALID", path, f"{len(text)} characters", f"{2 * KEY_BYTES} hex digits"
        )
    return key


def _fault(code: str, path: Path, value: str, limit: str) -> KeyFileError:
    return KeyFileError(
        code,
        f"key {path}",
        str(path),
        value,
        limit,
        hint="`titan keys init` writes keys as they must be.",
    )
