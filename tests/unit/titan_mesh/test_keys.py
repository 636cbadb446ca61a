"""Key files: layout, modes, and signatures of operators."""

from __future__ import annotations

import pytest
from titan.options.v1.access_pb2 import Role
from titan_mesh import keys, operator_keys
from titan_mesh.errors import KeyFileError
from titan_mesh.ids import SeededRng


@pytest.fixture
def home(tmp_path):
    operator_keys.init_keys(tmp_path, SeededRng(1))
    return tmp_path


def refusal(call, *arguments):
    with pytest.raises(KeyFileError) as refused:
        call(*arguments)
    return refused.value


def test_init_writes_every_key_once_with_its_mode(home):
    files = sorted(path for path in (home / "keys").rglob("*") if path.is_file())
    modes = {path.name: path.stat().st_mode & 0o777 for path in files}
    assert all(mode == (0o444 if name.endswith(".pub") else 0o400) for name, mode in modes.items())
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in (home / "keys").rglob("*/"))
    before = {path: path.read_bytes() for path in files}
    assert len(set(before.values())) == len(files) == 13
    assert operator_keys.init_keys(home, SeededRng(2)) == []
    assert {path: path.read_bytes() for path in files} == before


def test_reading_gives_what_init_wrote(home):
    fastpath = keys.read_fastpath_keys(home)
    assert {key_id: key.principal for key_id, key in fastpath.items()} == {
        1: "scavenger",
        2: "operator",
        3: "bench",
    }
    assert keys.read_fastpath_key(home, "scavenger") == fastpath[1]
    assert fastpath[1].secret.hex() not in repr(fastpath[1])
    assert keys.read_grpc_keys(home)["brain"] == keys.read_grpc_key(home, "brain")


@pytest.mark.parametrize("mode", [0o600, 0o440, 0o404, 0o500])
def test_a_secret_that_others_could_read_or_change_is_refused(home, mode):
    path = keys.grpc_folder(home) / "brain.key"
    path.chmod(mode)
    fault = refusal(keys.read_grpc_keys, home)
    assert (fault.code, fault.field) == ("KEY_FILE_MODE", str(path))
    assert (fault.value, fault.limit) == (f"{mode:04o}", "a plain file, at most 0400")


def test_a_folder_that_others_could_enter_is_refused(home):
    keys.fastpath_folder(home).chmod(0o750)
    assert refusal(keys.read_fastpath_key, home, "bench").code == "KEY_FILE_MODE"


def test_a_symbolic_link_is_no_key(home, tmp_path):
    path = keys.grpc_folder(home) / "brain.key"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert refusal(keys.read_grpc_key, home, "brain").code == "KEY_FILE_MISSING"


@pytest.mark.parametrize("text", ["", "00" * 31, "zz" * 32, "00" * 33])
def test_anything_but_64_hex_digits_is_refused(home, text):
    path = keys.grpc_folder(home) / "brain.key"
    path.chmod(0o600)
    path.write_text(text)
    path.chmod(0o400)
    assert refusal(keys.read_grpc_key, home, "brain").code == "KEY_FILE_INVALID"


@pytest.mark.parametrize("name", ["scavenger.key", "0-x.key", "65536-x.key", "1-X.key"])
def test_a_fastpath_file_names_its_key_id(home, name):
    folder = keys.fastpath_folder(home)
    (folder / "3-bench.key").rename(folder / name)
    assert refusal(keys.read_fastpath_keys, home).code == "KEY_FILE_NAME"


def test_one_key_id_names_one_key(home):
    folder = keys.fastpath_folder(home)
    (folder / "3-bench.key").rename(folder / "1-bench.key")
    assert refusal(keys.read_fastpath_keys, home).code == "KEY_ID_TWICE"


def test_a_principal_without_a_key_is_named(home):
    fault = refusal(keys.read_fastpath_key, home, "hunter")
    assert (fault.code, fault.value) == ("KEY_FILE_MISSING", "hunter")
    assert refusal(keys.read_grpc_keys, home / "nowhere").code == "KEY_FILE_MISSING"


def test_an_operator_signs_and_only_that_message_verifies(home):
    publics = keys.read_operator_publics(home)
    assert sorted(publics) == ["op-a", "op-b"]
    signature = operator_keys.sign(keys.read_operator_private(home, "op-a"), b"resume 7")
    assert operator_keys.verify(publics["op-a"], b"resume 7", signature)
    assert not operator_keys.verify(publics["op-a"], b"resume 8", signature)
    assert not operator_keys.verify(publics["op-b"], b"resume 7", signature)
    assert not operator_keys.verify(publics["op-a"], b"resume 7", signature[:-1])


def test_roles_follow_the_principal():
    assert keys.role_of("brain") == Role.ROLE_BRAIN
    assert keys.role_of("console") == Role.ROLE_CONSOLE
    assert keys.role_of("scavenger") == Role.ROLE_PHASE
