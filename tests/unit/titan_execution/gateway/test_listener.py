"""The FastPath socket: a stale file is replaced, a living server is left alone."""

from __future__ import annotations

import socket
import stat

import pytest
from titan_execution.gateway.listener import close_listener, open_listener
from titan_mesh.errors import TitanError


@pytest.fixture
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("s") / "x.sock"


def test_it_listens_for_its_owner_only(path):
    listener = open_listener(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))
    close_listener(listener, path)
    assert not path.exists()


def test_a_stale_file_is_replaced(path):
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    dead.bind(str(path))
    dead.close()
    assert path.is_socket()
    listener = open_listener(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))
    close_listener(listener, path)


def test_a_living_server_keeps_its_socket(path):
    first = open_listener(path)
    with pytest.raises(TitanError) as fault:
        open_listener(path)
    assert fault.value.code == "SOCKET_IN_USE"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))
    close_listener(first, path)


def test_a_file_that_is_no_socket_is_never_removed(path):
    path.write_text("precious")
    with pytest.raises(TitanError) as fault:
        open_listener(path)
    assert fault.value.code == "SOCKET_IN_USE"
    assert path.read_text() == "precious"


def test_a_path_beyond_the_kernels_limit_is_named(tmp_path):
    with pytest.raises(TitanError) as fault:
        open_listener(tmp_path / ("x" * 120))
    assert fault.value.code == "SOCKET_PATH_TOO_LONG"
    assert fault.value.limit == "107 bytes"
