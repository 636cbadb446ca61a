"""A small server of the other side of the protocol, on a real socket, with planted faults."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

from contract.reference import mac as reference
from titan.fastpath.v1 import frames_pb2
from titan_mesh.fastpath.frame import NO_MAC, Frame, FrameReader, encode_signed
from titan_mesh.fastpath.mac import FrameMac

POLICY = bytes(range(200, 232))
SERVER_NONCE = bytes(range(100, 116))
PING, PONG = 21, 85

# (counter, frame type, payload, ready-made frame) -> bytes to send, or None to close
Fault = Callable[[int, int, bytes, bytes], bytes | None]


def faithful(_counter: int, _frame_type: int, _payload: bytes, frame: bytes) -> bytes:
    """No fault."""
    return frame


class Peer:
    """Serves one connection after the other until it is closed; echoes every request as PONG."""

    def __init__(self, path: Path, secret: bytes, principal: str, fault: Fault = faithful) -> None:
        self._secret, self._principal, self._fault = secret, principal, fault
        self.eager = False
        """Answers something nobody asked, right behind READY."""
        self.seen: list[Frame] = []
        self.hello: frames_pb2.Hello | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self._talk(connection)
                except OSError:
                    continue

    def _talk(self, connection: socket.socket) -> None:
        reader, sent = FrameReader(), 0
        receive: FrameMac | None = None
        send: FrameMac | None = None

        def answer(frame_type: int, payload: bytes) -> bool:
            nonlocal sent
            counter = 0 if send is None else sent + 1
            signed = encode_signed(frame_type, 7, counter, 5, policy_hash=POLICY, payload=payload)
            out = self._fault(
                counter, frame_type, payload, signed + (send.sign(signed) if send else NO_MAC)
            )
            if out is None:
                return False
            sent = counter
            connection.sendall(out)
            return True

        while data := connection.recv(65536):
            reader.feed(data)
            while (frame := reader.next()) is not None:
                self.seen.append(frame)
                if frame.frame_type == 1:
                    self.hello = frames_pb2.Hello.FromString(frame.payload)
                    challenge = frames_pb2.Challenge(server_nonce=SERVER_NONCE)
                    going = answer(64, challenge.SerializeToString())
                    keys = [
                        reference.session_key(
                            self._secret,
                            self._principal,
                            self.hello.client_nonce,
                            SERVER_NONCE,
                            direction,
                        )
                        for direction in ("c2s", "s2c")
                    ]
                    receive, send = FrameMac(keys[0]), FrameMac(keys[1])
                elif receive is None or not receive.verify(frame.signed, frame.mac):
                    return
                elif frame.frame_type == 2:
                    ready = frames_pb2.Ready(policy_hash=POLICY, exec_epoch=3, account="paper")
                    going = answer(65, ready.SerializeToString())
                    if self.eager:
                        going = answer(PONG, b"")
                else:
                    going = answer(PONG, frame.payload)
                if not going:
                    return
