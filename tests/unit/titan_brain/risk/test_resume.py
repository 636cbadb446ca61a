"""Resume: the epoch, enough different operators, in time, with genuine signatures."""

from __future__ import annotations

import pytest
from titan.execution.v1.execution_control_service_pb2 import OperatorSignature
from titan_brain.risk.breaker import Trigger, initial, step, with_epoch
from titan_brain.risk.resume import MAX_VALIDITY_NS, Trust, refusal, signed_bytes
from titan_mesh import operator_keys

NOW_NS = 1_000_000_000_000
PRIVATE = {name: bytes([index]) * 32 for index, name in enumerate(("op-a", "op-b"), 1)}
PUBLIC = {name: operator_keys.public_of(key) for name, key in PRIVATE.items()}
TRUST = Trust(PUBLIC, NOW_NS, operator_keys.verify)
OPERATOR_HALT = with_epoch(step(initial(), Trigger.OPERATOR), 3)
LOSS_HALT = with_epoch(step(initial(), Trigger.LOSS), 3)


def signed(
    who: str,
    epoch: int = 3,
    account: str = "paper-main",
    until_ns: int = NOW_NS + 1,
    key: str = "",
) -> OperatorSignature:
    return OperatorSignature(
        operator_id=who,
        expires_at_ns=until_ns,
        signature=operator_keys.sign(PRIVATE[key or who], signed_bytes(account, epoch, until_ns)),
    )


def test_the_signed_bytes_are_those_of_the_contract() -> None:
    assert signed_bytes("paper-main", 12, 345) == b"titan.resume.v1|paper-main|12|345"


def test_one_operator_lifts_an_operators_halt_and_two_lift_a_loss() -> None:
    one, both = [signed("op-a")], [signed("op-a"), signed("op-b")]
    assert refusal(OPERATOR_HALT, "paper-main", 3, one, TRUST) is None
    assert refusal(LOSS_HALT, "paper-main", 3, both, TRUST) is None


@pytest.mark.parametrize(
    ("breaker", "epoch", "signatures", "code"),
    [
        (initial(), 3, [signed("op-a")], "NOT_HALTED"),
        (OPERATOR_HALT, 2, [signed("op-a", epoch=2)], "HALT_EPOCH_OTHER"),
        (OPERATOR_HALT, 4, [signed("op-a", epoch=4)], "HALT_EPOCH_OTHER"),
        (OPERATOR_HALT, 3, [], "OPERATORS_TOO_FEW"),
        (LOSS_HALT, 3, [signed("op-a")], "OPERATORS_TOO_FEW"),
        (LOSS_HALT, 3, [signed("op-a"), signed("op-a")], "OPERATORS_TOO_FEW"),
        (OPERATOR_HALT, 3, [signed("op-a", key="op-b")], "SIGNATURE_INVALID"),
        (OPERATOR_HALT, 3, [signed("op-a", epoch=2)], "SIGNATURE_INVALID"),
        (OPERATOR_HALT, 3, [signed("op-a", account="other")], "SIGNATURE_INVALID"),
        (OPERATOR_HALT, 3, [signed("op-a", until_ns=NOW_NS)], "SIGNATURE_EXPIRED"),
        (
            OPERATOR_HALT,
            3,
            [signed("op-a", until_ns=NOW_NS + MAX_VALIDITY_NS + 1)],
            "SIGNATURE_TOO_LONG",
        ),
        # One good signature does not excuse a bad one beside it.
        (OPERATOR_HALT, 3, [signed("op-a"), signed("op-b", key="op-a")], "SIGNATURE_INVALID"),
    ],
)
def test_what_does_not_lift_a_halt(breaker, epoch, signatures, code) -> None:
    denial = refusal(breaker, "paper-main", epoch, signatures, TRUST)
    assert denial is not None
    assert denial.code == code
    assert denial.field


def test_an_unknown_operator_is_named() -> None:
    trust = Trust({"op-b": PUBLIC["op-b"]}, NOW_NS, operator_keys.verify)
    denial = refusal(OPERATOR_HALT, "paper-main", 3, [signed("op-a")], trust)
    assert denial is not None
    assert (denial.code, denial.value, denial.limit) == ("OPERATOR_UNKNOWN", "op-a", "op-b")


def test_two_names_with_one_key_are_one_operator() -> None:
    trust = Trust({"op-a": PUBLIC["op-a"], "op-c": PUBLIC["op-a"]}, NOW_NS, operator_keys.verify)
    second = signed("op-a")
    second.operator_id = "op-c"
    denial = refusal(LOSS_HALT, "paper-main", 3, [signed("op-a"), second], trust)
    assert denial is not None
    assert (denial.code, denial.value) == ("OPERATORS_TOO_FEW", "1")
