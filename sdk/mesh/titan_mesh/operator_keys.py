"""Writing of key files, and the Ed25519 signatures of operators.

Owns what `titan keys init` makes and how an operator signs. Must never overwrite a key; needs the
rpc extra.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from titan_mesh import keys
from titan_mesh.ids import Rng

FASTPATH_PRINCIPALS = ("scavenger", "operator", "bench")
GRPC_PRINCIPALS = ("brain", "execution", "operator", "scavenger", "console", "bench")
OPERATORS = ("op-a", "op-b")


def init_keys(home: Path, rng: Rng) -> list[Path]:
    """Writes every key that is not there yet; returns the files written."""
    folders = keys.fastpath_folder(home), keys.grpc_folder(home), keys.operators_folder(home)
    for folder in (home / "keys", *folders):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(keys.FOLDER_MODE)
    fastpath, grpc, operators = folders
    written = [
        _write(path, rng.randbytes(keys.KEY_BYTES), keys.SECRET_MODE)
        for path in (
            *(
                fastpath / f"{key_id}-{name}.key"
                for key_id, name in enumerate(FASTPATH_PRINCIPALS, 1)
            ),
            *(grpc / f"{name}.key" for name in GRPC_PRINCIPALS),
            *(operators / f"{name}.key" for name in OPERATORS),
        )
        if not path.exists()
    ]
    for name in OPERATORS:
        public = operators / f"{name}.pub"
        if not public.exists():
            secret = keys.read_operator_private(home, name)
            written.append(_write(public, public_of(secret), keys.PUBLIC_MODE))
    return written


def public_of(private: bytes) -> bytes:
    """The Ed25519 public key of a private one."""
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def sign(private: bytes, message: bytes) -> bytes:
    """The operator's signature, 64 bytes."""
    return Ed25519PrivateKey.from_private_bytes(private).sign(message)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """True when the signature is the operator's."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _write(path: Path, key: bytes, mode: int) -> Path:
    handle = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode
    )
    with os.fdopen(handle, "wb") as file:
        # The umask may have narrowed the mode of a public key.
        os.fchmod(file.fileno(), mode)
        file.write(key.hex().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return path
