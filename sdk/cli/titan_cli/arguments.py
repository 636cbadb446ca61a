"""The argument tree and its teaching help. Must never run a command."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from titan_cli.exits import MEANINGS

_RAW = argparse.RawDescriptionHelpFormatter
Subparsers = Any

_TOP_EXAMPLES = """\
first steps:
  titan demo                       ten minutes of market, a kill -9 in the middle, a report
  titan up --detach                the mesh in the background, home .titan
  titan status                     is the picture true, may it trade
  titan why 0192f3                 everything on record about one intent, order or fill
  titan halt --text "odd fills"    stop new risk at the edge, now
  titan down                       stop everything in order

the home is --home, else TITAN_HOME, else .titan; every command takes --json (one object on
the last line)

exit codes:
"""


def parser() -> argparse.ArgumentParser:
    """The whole tree."""
    codes = "\n".join(f"  {int(code):>3}  {words}" for code, words in MEANINGS.items())
    root = argparse.ArgumentParser(
        prog="titan",
        description="A contract-first trading mesh on one machine: start it, watch it, stop it.",
        epilog=_TOP_EXAMPLES + codes,
        formatter_class=_RAW,
    )
    commands = root.add_subparsers(dest="command", required=True, metavar="command")
    _mesh_commands(commands)
    _operator_commands(commands)
    _file_commands(commands)
    return root


def _command(
    commands: Subparsers, name: str, words: str, examples: str, detail: str = ""
) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=words,
        description=f"{words[0].upper()}{words[1:]}.{' ' + detail if detail else ''}",
        epilog="examples:\n" + examples,
        formatter_class=_RAW,
    )
    made.add_argument("--home", metavar="DIR", help="the mesh's home (TITAN_HOME, else .titan)")
    made.add_argument("--json", action="store_true", help="one JSON object on the last line")
    return made


def _group(commands: Subparsers, name: str, words: str) -> Subparsers:
    group = commands.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
    return group.add_subparsers(dest="action", required=True, metavar="action")


def _count(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {low} to {high}")
        return int(text)

    return read


def _market(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--data", metavar="DIR", help="replay recorded data of this folder (else the synthetic)"
    )
    made.add_argument("--seed", type=_count(0, 2**32 - 1), help="seed of the synthetic market")
    made.add_argument("--compose", metavar="DIR", help="folder with policy/ and instruments/")


def _mesh_commands(commands: Subparsers) -> None:
    demo = _command(
        commands,
        "demo",
        "trade ten minutes of market, kill Execution in the middle, account for everything",
        "  titan demo\n  titan demo --seed 11 --json\n"
        "  titan demo --data recordings/usdm --report run.html",
        "Exit code 0 only if nothing was lost or doubled by the venue's own log.",
    )
    _market(demo)
    demo.add_argument("--report", metavar="FILE", help="where the HTML report goes")
    demo.add_argument("--keep", action="store_true", help="keep the temporary home")
    up = _command(
        commands,
        "up",
        "start the mesh and supervise it until Ctrl-C",
        "  titan up\n  titan up --detach --ports auto\n  titan up --set feed.speed=5 --seed 3",
        "Writes the home where it is missing: titan.toml, keys, policy, instruments.",
    )
    _market(up)
    up.add_argument("--ports", choices=("fixed", "auto"), default="fixed", help="auto: free ports")
    up.add_argument("--detach", action="store_true", help="return when all is ready")
    up.add_argument("--only", default="", metavar="LIST", help="services, separated by commas")
    up.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="a setting of titan.toml, written down",
    )
    _command(
        commands,
        "down",
        "stop the mesh in reverse order",
        "  titan down\n  titan down --home /srv/titan",
        "Left-over processes of a killed supervisor are found by their pid files.",
    )


def _operator_commands(commands: Subparsers) -> None:
    _command(
        commands,
        "status",
        "show state, truth, lease, lags and processes",
        "  titan status\n  titan status --json | jq .execution.state",
    )
    why = _command(
        commands,
        "why",
        "tell one order's story: inputs, checks with value and limit, truth, lease, steps, fills",
        "  titan why 0192f3a4\n  titan why T1mzxw6ytboi4dcmrvgq3tqojq",
    )
    why.add_argument("id", help="intent or decision id (8 hex digits do), order id or trade id")
    halt = _command(
        commands,
        "halt",
        "stop new risk at the edge, now; cancels and reductions still pass",
        '  titan halt --text "odd fills since noon"',
        "Execution is told first; it needs neither Brain nor bus. Returns when it is true.",
    )
    halt.add_argument("--operator", default="operator", metavar="ID", help="who asks")
    halt.add_argument("--text", default="halted from the command line", help="why, for the record")
    resume = _command(
        commands,
        "resume",
        "lift the halt of one epoch with operators' signatures",
        '  titan resume --operator op-a --epoch 3 --text "checked"\n'
        "  titan resume --operator op-a --operator op-b --epoch 4",
        "One operator after an operator's halt, two after a loss, a limit or a mismatch.",
    )
    resume.add_argument(
        "--operator", action="append", required=True, metavar="ID", help="signs; repeat for two"
    )
    resume.add_argument("--epoch", type=_count(1, 2**63 - 1), required=True, help="of the halt")
    resume.add_argument("--text", default="resumed from the command line", help="why")


def _file_commands(commands: Subparsers) -> None:
    keys = _group(commands, "keys", "make keys and tokens")
    _command(keys, "init", "write the keys that are missing, mode 0400", "  titan keys init")
    token = _command(
        keys,
        "token",
        "print the authorization metadata of a principal, for grpcurl",
        '  grpcurl -plaintext -H "authorization: $(titan keys token --principal operator)" ...',
    )
    token.add_argument("--principal", required=True, metavar="NAME", help="see keys/grpc")
    policy = _group(commands, "policy", "look at the risk policy")
    hashed = _command(
        policy,
        "hash",
        "print the hash that every order is bound to",
        "  titan policy hash\n  titan policy hash compose/policy/risk_policy.json\n"
        "  jq -cS . policy.json | tr -d '\\n' | sha256sum     # the same",
    )
    hashed.add_argument("path", nargs="?", help="policy file (else the home's)")
    hashed.add_argument("--expect", default="", metavar="HEX", help="exit 4 when it differs")
    streams = _group(commands, "streams", "compare the bus with the contract")
    for name, words in (
        ("plan", "show what differs and what apply would do"),
        ("apply", "make the server match the contract"),
        ("verify", "exit 4 when anything differs"),
    ):
        _command(streams, name, words, f"  titan streams {name}")
    _command(commands, "version", "print versions of the parts", "  titan version --json")
