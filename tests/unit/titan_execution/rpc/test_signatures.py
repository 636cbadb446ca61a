"""Who may lift a halt: distinct keys, a short validity, the epoch by name."""

from __future__ import annotations

import pytest
from titan.execution.v1 import execution_control_service_pb2 as pb
from titan.risk.v1 import trading_state_pb2
from titan_execution.rpc.signatures import MAX_VALIDITY_NS, require_operators, signed_text
from titan_mesh import operator_keys
from titan_mesh.errors import AccessDenied

NOW_NS = 1_790_000_000_000_000_000
SECRETS = {"op-a": bytes(32), "op-b": bytes([1] * 32), "twin-of-a": bytes(32)}
PUBLICS = {name: operator_keys.public_of(secret) for name, secret in SECRETS.items()}
OPERATOR = trading_state_pb2.BREAKER_CAUSE_OPERATOR
LOSS = trading_state_pb2.BREAKER_CAUSE_LOSS


def request(*names, epoch=3, signed_epoch=3, account="paper-main", life_ns=MAX_VALIDITY_NS):
    ends_ns = NOW_NS + life_ns
    text = signed_text(account, signed_epoch, ends_ns)
    return pb.SetTradingStateRequest(
        account="paper-main",
        halt_epoch=epoch,
        signatures=[
            pb.OperatorSignature(
                operator_id=name,
                signature=operator_keys.sign(SECRETS[name], text),
                expires_at_ns=ends_ns,
            )
            for name in names
        ],
    )


def test_one_operator_lifts_an_operators_halt():
    require_operators(request("op-a"), OPERATOR, PUBLICS, NOW_NS)


def test_two_operators_lift_anything():
    require_operators(request("op-a", "op-b"), LOSS, PUBLICS, NOW_NS)


@pytest.mark.parametrize(
    ("asked", "cause"),
    [
        (request(), OPERATOR),
        (request("op-a"), LOSS),
        (request("op-a", "op-a"), LOSS),
        (request("op-a", "twin-of-a"), LOSS),
        (request("op-a", signed_epoch=2), OPERATOR),
        (request("op-a", account="other"), OPERATOR),
        (request("op-a", life_ns=0), OPERATOR),
        (request("op-a", life_ns=MAX_VALIDITY_NS + 1), OPERATOR),
    ],
)
def test_less_is_not_enough(asked, cause):
    with pytest.raises(AccessDenied) as fault:
        require_operators(asked, cause, PUBLICS, NOW_NS)
    assert fault.value.code == "SIGNATURES_MISSING"


def test_an_unknown_operator_signs_nothing():
    publics = {"op-b": PUBLICS["op-b"]}
    with pytest.raises(AccessDenied):
        require_operators(request("op-a"), OPERATOR, publics, NOW_NS)
