"""`titan halt` and `titan resume`: the edge first when tightening, the Brain's record with it.

Must never treat a halt as done before the edge says HALTED, or lift one without signatures.
"""

from __future__ import annotations

from collections.abc import Sequence

from titan.brain.v1 import operator_service_pb2
from titan.execution.v1 import execution_control_service_pb2 as control_pb2
from titan.risk.v1 import trading_state_pb2
from titan_mesh import keys, operator_keys
from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError

from titan_cli.home.layout import Home
from titan_cli.operator.link import Link
from titan_cli.operator.status import state_name

SIGNATURE_LIFE_NS = 60 * 10**9


async def halt(link: Link, operator_id: str, text: str) -> dict[str, object]:
    """Halts at the edge, then tells the Brain; works with the Brain and the bus down."""
    edge = await link.set_trading_state(
        control_pb2.SetTradingStateRequest(
            account=link.account,
            state=trading_state_pb2.TRADING_STATE_HALTED,
            operator_id=operator_id,
            text=text,
            cause=trading_state_pb2.BREAKER_CAUSE_OPERATOR,
        )
    )
    brain = "recorded"
    try:
        await link.halt(operator_service_pb2.HaltRequest(operator_id=operator_id, text=text))
    except TitanError as error:
        brain = error.code
    return {
        "state": state_name(edge.state),
        "halt_epoch": edge.halt_epoch,
        "lsn": edge.lsn,
        "brain": brain,
    }


def resume_message(account: str, halt_epoch: int, expires_at_ns: int) -> bytes:
    """What an operator signs to lift a halt."""
    return f"titan.resume.v1|{account}|{halt_epoch}|{expires_at_ns}".encode()


def signatures(
    home: Home, account: str, halt_epoch: int, operators: Sequence[str], clock: Clock
) -> list[control_pb2.OperatorSignature]:
    """One signature per operator, with the keys of this home."""
    expires_at_ns = clock.unix_ns() + SIGNATURE_LIFE_NS
    message = resume_message(account, halt_epoch, expires_at_ns)
    return [
        control_pb2.OperatorSignature(
            operator_id=name,
            signature=operator_keys.sign(keys.read_operator_private(home.root, name), message),
            expires_at_ns=expires_at_ns,
        )
        for name in operators
    ]


async def resume(
    link: Link, signed: Sequence[control_pb2.OperatorSignature], halt_epoch: int, text: str
) -> dict[str, object]:
    """Lifts the halt of an epoch through the Brain; the way back leads to DEFENSIVE."""
    answer = await link.resume(
        operator_service_pb2.ResumeRequest(
            halt_epoch=halt_epoch,
            operator_id=signed[0].operator_id,
            text=text,
            signatures=signed,
        )
    )
    return {"state": state_name(answer.state), "halt_epoch": answer.halt_epoch}
