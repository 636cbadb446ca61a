"""One function per command, from arguments to an exit code. Must never hold a rule of its own."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Awaitable, Callable
from importlib import metadata
from pathlib import Path

from titan_mesh import keys, operator_keys
from titan_mesh.clock import SystemClock
from titan_mesh.ids import SystemRng

from titan_cli.exits import Exit
from titan_cli.home import layout
from titan_cli.operator import brake, policy, status, streams, why
from titan_cli.operator.link import connect
from titan_cli.output import Output, table
from titan_cli.supervisor import detached, foreground

Command = Callable[[Namespace, Output], Awaitable[Exit]]
DISTRIBUTIONS = (
    "titan-cli",
    "titan-contracts",
    "titan-mesh",
    "titan-sdk",
    "titan-market",
    "titan-execution",
    "titan-brain",
    "titan-phases",
)


async def run(chosen: Namespace, output: Output) -> Exit:
    """Runs the command that the arguments name."""
    action = getattr(chosen, "action", "")
    return await _COMMANDS[f"{chosen.command} {action}".strip()](chosen, output)


async def _demo(chosen: Namespace, output: Output) -> Exit:
    from titan_cli.demo import run as demo

    return await demo.run(demo.wishes_of(chosen), output)


async def _up(chosen: Namespace, output: Output) -> Exit:
    home = layout.locate(chosen.home)
    wishes = foreground.wishes_of(chosen)
    detached.require_stopped(home)
    if not chosen.detach:
        return await foreground.run(home, wishes, output)
    pid = await detached.start(home, foreground.arguments_of(home, chosen))
    output.text(f"the mesh is up in {home.root} (supervisor pid {pid}); stop it with: titan down")
    output.result({"home": str(home.root), "pid": pid, "ports": str(home.ports)})
    return Exit.DONE


async def _down(chosen: Namespace, output: Output) -> Exit:
    home = layout.locate(chosen.home)
    stopped = await detached.stop(home)
    output.text(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
    output.result({"stopped": stopped})
    return Exit.DONE


async def _status(chosen: Namespace, output: Output) -> Exit:
    home = layout.locate(chosen.home)
    async with connect(home) as link:
        picture = await status.look(home, link)
    output.text(status.as_text(picture))
    output.result(status.as_fields(picture))
    return Exit.UNREACHABLE if picture.silent else Exit.DONE


async def _why(chosen: Namespace, output: Output) -> Exit:
    async with connect(layout.locate(chosen.home)) as link:
        answer = await link.explain(chosen.id)
    output.text(why.as_text(answer))
    output.result(why.as_fields(answer))
    return Exit.DONE


async def _halt(chosen: Namespace, output: Output) -> Exit:
    async with connect(layout.locate(chosen.home)) as link:
        done = await brake.halt(link, chosen.operator, chosen.text)
    output.text(
        f"{done['state']} at the edge, epoch {done['halt_epoch']}, LSN {done['lsn']}; "
        f"Brain: {done['brain']}\nlift it with: titan resume --operator op-a "
        f"--epoch {done['halt_epoch']} --text WHY"
    )
    output.result(done)
    return Exit.DONE


async def _resume(chosen: Namespace, output: Output) -> Exit:
    home = layout.locate(chosen.home)
    async with connect(home) as link:
        signed = brake.signatures(home, link.account, chosen.epoch, chosen.operator, SystemClock())
        done = await brake.resume(link, signed, chosen.epoch, chosen.text)
    output.text(f"epoch {done['halt_epoch']} is lifted; state {done['state']}, NORMAL on evidence")
    output.result(done)
    return Exit.DONE


async def _keys_init(chosen: Namespace, output: Output) -> Exit:
    home = layout.locate(chosen.home)
    written = operator_keys.init_keys(home.root, SystemRng())
    names = [str(path.relative_to(home.root)) for path in written]
    output.text("\n".join(f"wrote {name}" for name in names) or "every key is there")
    output.result({"written": names})
    return Exit.DONE


async def _keys_token(chosen: Namespace, output: Output) -> Exit:
    home = layout.locate(chosen.home)
    token = keys.token_of(chosen.principal, keys.read_grpc_key(home.root, chosen.principal))
    output.text(token)
    output.result({"authorization": token})
    return Exit.DONE


async def _policy_hash(chosen: Namespace, output: Output) -> Exit:
    path = Path(chosen.path) if chosen.path else layout.locate(chosen.home).policy
    found = policy.hash_of(path, chosen.expect)
    output.text(str(found["policy_hash"]))
    output.result(found)
    return Exit.DONE


async def _streams(chosen: Namespace, output: Output) -> Exit:
    differences = await streams.compare(layout.locate(chosen.home), chosen.action)
    output.text("\n".join(differences) or "the server matches the contract")
    output.result({"differences": differences})
    return Exit.CHECK_FAILED if chosen.action == "verify" and differences else Exit.DONE


async def _version(chosen: Namespace, output: Output) -> Exit:
    found: dict[str, object] = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    output.text(table([(name, str(version)) for name, version in found.items()]))
    output.result(found)
    return Exit.DONE


_COMMANDS: dict[str, Command] = {
    "demo": _demo,
    "up": _up,
    "down": _down,
    "status": _status,
    "why": _why,
    "halt": _halt,
    "resume": _resume,
    "keys init": _keys_init,
    "keys token": _keys_token,
    "policy hash": _policy_hash,
    "streams plan": _streams,
    "streams apply": _streams,
    "streams verify": _streams,
    "version": _version,
}
