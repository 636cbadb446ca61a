"""The Execution twin behind a real Unix socket: frames, handshake, MACs of docs/FASTPATH.md."""

import contextlib
import socket
import threading
from pathlib import Path

from titan_mesh.fastpath.frame import NO_MAC, FrameReader, encode_signed
from titan_mesh.fastpath.mac import FrameMac, session_key
from titan_mesh.keys import FastPathKey
from titan_sdk._pb import hot
from titan_sdk._pb.titan.fastpath import v1 as fp
from titan_sdk.submit.link import LinkLost
from unit.titan_sdk.execution_twin import Twin

NONCE = bytes(range(16))


class SocketTwin:
    """Serves one connection at a time on a thread; stop() and start() again are a restart."""

    def __init__(self, path: Path, twin: Twin, key: FastPathKey) -> None:
        self.path = path
        self.twin = twin
        self._key = key
        self._listener: socket.socket | None = None
        self._connection: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen(8)
        self._thread = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        assert self._listener is not None
        assert self._thread is not None
        for end in (self._listener, self._connection):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self._thread.join(5)
        self.twin.restart()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                self._connection, _ = listener.accept()
            except OSError:
                return
            try:
                self._serve(self._connection)
            except (OSError, EOFError, LinkLost):
                self._connection.close()

    def _serve(self, connection: socket.socket) -> None:
        reader = FrameReader()

        def read():
            while (frame := reader.next()) is None:
                data = connection.recv(65536)
                if not data:
                    raise EOFError
                reader.feed(data)
            return frame

        def seal(kind: int, counter: int, payload: bytes) -> bytes:
            return encode_signed(
                kind,
                self._key.key_id,
                counter,
                1,
                policy_hash=self.twin.policy_hash,
                payload=payload,
            )

        hello = hot.decode_hello(read().payload)
        told = hot.encode_challenge(fp.Challenge(server_nonce=NONCE))
        connection.sendall(seal(fp.FrameType.CHALLENGE, 0, told) + NO_MAC)
        ours = (self._key.secret, hello.principal, hello.client_nonce, NONCE)
        verify, sign = (FrameMac(session_key(*ours, way)) for way in (b"c2s", b"s2c"))
        proof = read()
        if not verify.verify(proof.signed, proof.mac):
            raise EOFError
        ready = self.twin.open()
        answers = [
            (
                fp.FrameType.READY,
                hot.encode_ready(
                    fp.Ready(
                        policy_hash=ready.policy_hash,
                        exec_epoch=ready.exec_epoch,
                        account=ready.account,
                        state=ready.state,
                        boottime_ns=1,
                    )
                ),
            )
        ]
        counter = 0
        while True:
            for kind, payload in answers:
                counter += 1
                signed = seal(kind, counter, payload)
                connection.sendall(signed + sign.sign(signed))
            frame = read()
            assert verify.verify(frame.signed, frame.mac)
            answers = self.twin.exchange([(fp.FrameType(frame.frame_type), frame.payload)])
