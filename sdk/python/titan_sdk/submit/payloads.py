"""FastPath payloads: the few messages that the submission logic sends and reads.

Owns their encoding. Must never know frames, sockets, or what follows from an answer.
"""

from __future__ import annotations

from titan_sdk._pb import hot
from titan_sdk._pb.titan.fastpath import v1 as fp
from titan_sdk._pb.titan.fastpath.v1 import FrameType
from titan_sdk.orders import Accepted, Rejected
from titan_sdk.submit.link import Frame
from titan_sdk.vocabulary import IntentState, RejectReason

_PREPARE_INTENT_TAG = b"\x0a"


def prepare(intent_payload: bytes) -> Frame:
    """Prepare around intent bytes that are never re-encoded: they are what the digest covers."""
    return FrameType.PREPARE, _PREPARE_INTENT_TAG + _varint(len(intent_payload)) + intent_payload


def confirm(intent_id: bytes, token: int) -> Frame:
    """Make the reservation an order."""
    return FrameType.CONFIRM, hot.encode_confirm(fp.Confirm(intent_id=intent_id, token=token))


def abort(intent_id: bytes) -> Frame:
    """Withdraw a reservation."""
    return FrameType.ABORT, hot.encode_abort(fp.Abort(intent_id=intent_id))


def status(intent_id: bytes) -> Frame:
    """Ask where an intent stands."""
    return FrameType.STATUS, hot.encode_status(fp.Status(intent_id=intent_id))


def cancel(intent_id: bytes) -> Frame:
    """Ask to cancel an order."""
    return FrameType.CANCEL, hot.encode_cancel(fp.Cancel(intent_id=intent_id))


def ping(echo: int) -> Frame:
    """Is anybody there?"""
    return FrameType.PING, hot.encode_ping(fp.Ping(echo=echo))


def read_token(payload: bytes) -> int:
    """Token of a Prepared."""
    return hot.decode_prepared(payload).token


def read_accepted(payload: bytes) -> Accepted:
    """An Accepted."""
    taken = hot.decode_accepted(payload)
    return Accepted(taken.lsn, taken.client_order_id)


def read_status(payload: bytes) -> tuple[IntentState, Accepted]:
    """State of a StatusReport, and the promise that holds when it is durable."""
    told = hot.decode_status_report(payload)
    return told.state, Accepted(told.lsn, told.client_order_id)


def read_refused(payload: bytes) -> Rejected:
    """The denial of a Refused."""
    detail = hot.decode_refused(payload).rejection
    if detail is None:
        return Rejected(RejectReason.UNSPECIFIED)
    return Rejected(
        RejectReason(int(detail.reason)), detail.value, detail.limit, detail.field, detail.hint
    )


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
