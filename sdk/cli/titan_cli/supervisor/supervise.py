"""The supervisor: start order by readiness, restart with back-off, stop in reverse. Never trades.

Restarts are bounded by the policy. When a process crashes more often, the supervisor pulls the
brake (the halt is latched at the edge), stops what is left in order and reports RESTART_LIMIT.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

from titan_mesh.clock import Clock
from titan_mesh.errors import TitanError

from titan_cli.home.layout import Home
from titan_cli.supervisor.child import Child, ChildState
from titan_cli.supervisor.restarts import RestartBudget, RestartPolicy
from titan_cli.supervisor.services import FINAL_EXITS, NATS, Service

Say = Callable[[str], None]
Brake = Callable[[str], Awaitable[None]]
Hook = Callable[[], Awaitable[None]]


class Supervisor:
    """The processes of one home."""

    def __init__(
        self,
        home: Home,
        services: Sequence[Service],
        policy: RestartPolicy,
        *,
        clock: Clock,
        say: Say,
        brake: Brake,
        after_nats: Hook,
    ) -> None:
        self.children = {service.name: Child(home, service, clock) for service in services}
        self._home = home
        self._budgets = {service.name: RestartBudget(policy) for service in services}
        self._policy = policy
        self._clock = clock
        self._say = say
        self._brake = brake
        self._after_nats = after_nats
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._failure: asyncio.Future[TitanError] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Starts every service in order; what was started is stopped again when one fails."""
        self._failure = asyncio.get_running_loop().create_future()
        try:
            for child in self.children.values():
                began_ns = self._clock.monotonic_ns()
                await child.start()
                took_ms = (self._clock.monotonic_ns() - began_ns) // 1_000_000
                self._say(f"  {child.service.name:<10} ready in {took_ms} ms (pid {child.pid})")
                await self._provision(child)
                self._watch(child)
                self.publish()
        except BaseException:
            await self.stop()
            raise

    async def _provision(self, child: Child) -> None:
        if child.service is NATS:
            await self._after_nats()

    def _watch(self, child: Child) -> None:
        name = child.service.name
        self._watchers[name] = asyncio.create_task(self._keep(child), name=f"watch {name}")

    async def _keep(self, child: Child) -> None:
        """Waits for the end of a process and brings it back, until it may not come back."""
        while True:
            code = await child.ended()
            if self._stopping:
                return
            if code == 0 and child.service.may_finish:
                child.state = ChildState.DONE
                self.publish()
                return
            if not await self._restart(child, code):
                return

    async def _restart(self, child: Child, code: int) -> bool:
        """True when the process is ready again."""
        name = child.service.name
        while True:
            delay_ms = self._budgets[name].next_delay_ms(self._clock.boottime_ns())
            if code in FINAL_EXITS or delay_ms is None:
                await self._give_up(child, code)
                return False
            child.state = ChildState.WAITING
            self.publish()
            self._say(f"  {name} ended with {code}; restarting in {delay_ms} ms")
            await self._clock.sleep_until(self._clock.boottime_ns() + delay_ms * 1_000_000)
            child.restarts += 1
            try:
                await child.start()
            except TitanError as error:
                self._say(f"  {error.message}")
                await child.stop()
                code = child.exit_code if child.exit_code is not None else 1
                continue
            await self._provision(child)
            self._say(f"  {name} is back (pid {child.pid}, restart {child.restarts})")
            self.publish()
            return True

    async def _give_up(self, child: Child, code: int) -> None:
        name = child.service.name
        child.state = ChildState.FAILED
        self.publish()
        error = TitanError(
            "RESTART_LIMIT",
            f"{name} ended with exit code {code} and may not be restarted\n{child.log_tail()}",
            "policy.restarts",
            f"{child.restarts} restarts, exit code {code}",
            f"{self._policy.max_restarts} restarts in {self._policy.window_ms} ms",
            hint=f"Read {self._home.log(name)}, then start again and lift the halt: titan resume",
        )
        await self._brake(f"{name} crashed too often")
        assert self._failure is not None, "a child is watched after the start"
        if not self._failure.done():
            self._failure.set_result(error)

    async def failed(self) -> TitanError:
        """Waits until a process may not come back."""
        assert self._failure is not None, "the supervisor was started"
        return await asyncio.shield(self._failure)

    async def stop_one(self, name: str) -> None:
        """Stops one service for good."""
        watcher = self._watchers.pop(name, None)
        if watcher is not None:
            watcher.cancel()
        await self.children[name].stop()
        self.publish()

    async def stop(self) -> None:
        """Stops every service in reverse order; bounded by each service's own limit."""
        self._stopping = True
        for watcher in self._watchers.values():
            watcher.cancel()
        await asyncio.gather(*self._watchers.values(), return_exceptions=True)
        for child in reversed(self.children.values()):
            await child.stop()
        self.publish()

    def publish(self) -> None:
        """Writes run/mesh.json: what `titan status` shows of the processes."""
        services = {
            name: {
                "state": child.state.value,
                "pid": child.pid,
                "restarts": child.restarts,
                "exit_code": child.exit_code,
                "ready_at_ns": child.ready_at_ns,
            }
            for name, child in self.children.items()
        }
        partial = self._home.state.with_name("mesh.json.new")
        partial.write_text(json.dumps({"services": services}, indent=1) + "\n")
        partial.replace(self._home.state)
