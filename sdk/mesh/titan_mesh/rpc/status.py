"""Exceptions to gRPC status with google.rpc details, and back: the one table.

Owns the mapping. Must never log or decide; edges do.
"""

from __future__ import annotations

from google.rpc import (
    code_pb2,
    error_details_pb2,
    status_pb2,
)
from grpc import StatusCode
from grpc.aio import AioRpcError
from titan.rejections import DENIALS
from titan.trading.v1.reject_reason_pb2 import Rejection

from titan_mesh.errors import (
    AccessDenied,
    Conflict,
    InstrumentError,
    InvalidMessage,
    MoneyError,
    NotFound,
    TitanError,
    Unavailable,
)

DOMAIN = "titan"
DETAILS_KEY = "grpc-status-details-bin"
INTERNAL_CODE = "INTERNAL"

_STATUS: tuple[tuple[type[TitanError], StatusCode], ...] = (
    (InvalidMessage, StatusCode.INVALID_ARGUMENT),
    (MoneyError, StatusCode.INVALID_ARGUMENT),
    (InstrumentError, StatusCode.INVALID_ARGUMENT),
    (NotFound, StatusCode.NOT_FOUND),
    (Conflict, StatusCode.ABORTED),
    (Unavailable, StatusCode.UNAVAILABLE),
)
_CLASSES: dict[StatusCode, type[TitanError]] = {
    StatusCode.INVALID_ARGUMENT: InvalidMessage,
    StatusCode.NOT_FOUND: NotFound,
    StatusCode.ABORTED: Conflict,
    StatusCode.UNAVAILABLE: Unavailable,
    StatusCode.DEADLINE_EXCEEDED: Unavailable,
    StatusCode.UNAUTHENTICATED: AccessDenied,
    StatusCode.PERMISSION_DENIED: AccessDenied,
}
UNAUTHENTICATED_CODES = frozenset({"TOKEN_MISSING", "TOKEN_INVALID"})


class Denied(TitanError):
    """A denial of the gate with its evidence."""

    def __init__(self, rejection: Rejection) -> None:
        denial = DENIALS.get(rejection.reason)
        code = denial.code if denial else "UNKNOWN_REASON"
        super().__init__(
            code,
            f"denied: {code}",
            rejection.field,
            rejection.value,
            rejection.limit,
            hint=rejection.hint or (denial.hint if denial else ""),
        )
        self.rejection = rejection
        self.retryable = denial.retryable if denial else False


def status_code(fault: TitanError) -> StatusCode:
    """The gRPC status of an exception."""
    if isinstance(fault, Denied):
        denial = DENIALS.get(fault.rejection.reason)
        return StatusCode[denial.grpc_status] if denial else StatusCode.INTERNAL
    if isinstance(fault, AccessDenied):
        known = fault.code in UNAUTHENTICATED_CODES
        return StatusCode.UNAUTHENTICATED if known else StatusCode.PERMISSION_DENIED
    for kind, code in _STATUS:
        if isinstance(fault, kind):
            return code
    return StatusCode.FAILED_PRECONDITION


def details_of(fault: TitanError) -> bytes:
    """google.rpc.Status of an exception, serialised for the trailer."""
    info = error_details_pb2.ErrorInfo(reason=fault.code, domain=DOMAIN)
    for name in ("field", "value", "limit", "hint"):
        if text := getattr(fault, name):
            info.metadata[name] = text
    status = status_pb2.Status(
        code=code_pb2.Code.Value(status_code(fault).name), message=fault.message
    )
    status.details.add().Pack(info)
    if isinstance(fault, Denied):
        status.details.add().Pack(fault.rejection)
    return bytes(status.SerializeToString())


def from_rpc_error(error: AioRpcError) -> TitanError:
    """The typed exception that a failed call carries; transport failures become Unavailable."""
    kind = _CLASSES.get(error.code(), TitanError)
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return _from_details(kind, status_pb2.Status.FromString(value))
    code = f"RPC_{error.code().name}"
    return kind(code, error.details() or "the call failed", "grpc", error.code().name)


def _from_details(kind: type[TitanError], status: status_pb2.Status) -> TitanError:
    info = error_details_pb2.ErrorInfo()
    rejection = Rejection()
    for detail in status.details:
        if detail.Is(Rejection.DESCRIPTOR) and detail.Unpack(rejection):
            return Denied(rejection)
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            detail.Unpack(info)
    facts = info.metadata
    return kind(
        info.reason or "RPC_FAILED",
        status.message,
        facts.get("field", ""),
        facts.get("value", ""),
        facts.get("limit", ""),
        hint=facts.get("hint", ""),
    )
