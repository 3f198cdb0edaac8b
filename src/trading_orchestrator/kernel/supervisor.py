"""A supervisor after OTP: what ends unasked is started anew, within a budget, and never silently given up."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated

import msgspec
from msgspec import Meta

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Component, Health, HealthState

log = logging.getLogger(__name__)
END_WITHIN_S = 5.0
CRASH_LOOP = "component.crash_loop"


class ComponentTaken(Refused):
    """A component of this name is registered already. Facts: name."""

    code = "operations.component_taken"


class ComponentUnknown(Refused):
    """Nobody of this name is supervised. Facts: name."""

    code = "operations.component_unknown"


class SwitchedOff(Refused):
    """A person switched this component off: only a person switches it on again. Facts: name, because."""

    code = "operations.switched_off"


class Restart(Enum):
    """Who is started anew with a component that ended (OTP's words)."""

    ONE_FOR_ONE = "one_for_one"
    REST_FOR_ONE = "rest_for_one"


class RestartRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a component that ended is started anew.

    restart: rest_for_one also restarts what depends on it, for state that would be stale with a new upstream. No part
        of ours asks for it: each reads what it depends on anew with every look and keeps nothing of it. A program does
        where a component hands out what dies with it, such as a session that others hold.
    restarts_max: ends within `within_s` that are ordinary; one more spends the budget, which is told, and from then on
        it waits `longest_wait_s` before each start until it ran for `within_s` once.
    first_wait_s: doubles with each end in a row.
    """

    restart: Restart = Restart.ONE_FOR_ONE
    restarts_max: Annotated[int, Meta(ge=1)] = 5
    within_s: Annotated[float, Meta(gt=0)] = 60.0
    first_wait_s: Annotated[float, Meta(ge=0)] = 0.5
    longest_wait_s: Annotated[float, Meta(gt=0)] = 30.0


@dataclass(frozen=True)
class Ended:
    """A component ended unasked. `over_budget`: it does so too often to be an accident."""

    component: str
    reason: str
    wait_s: float
    ends_in_row: int
    over_budget: bool
    restarts_with_it: tuple[str, ...] = ()


@dataclass
class Child:
    """One supervised component.

    off: why it must not run at present, "" when it may.
    wanted: it was started and not stopped since. Who is to run is told by this and by nothing else: `task` is None
        also while it waits for what it depends on.
    leaving: what was cancelled and has not ended yet; its successor begins after it.
    """

    component: Component
    rule: RestartRule
    wanted: bool = False
    task: asyncio.Task[None] | None = None
    leaving: set[asyncio.Task[None]] = field(default_factory=set)
    why_down: str = ""
    restarts: int = 0
    over_budget: bool = False
    off: str = ""
    ends_ns: deque[int] = field(default_factory=deque)

    def health(self) -> Health:
        """Return the component's own word while it runs, else why it does not; off on purpose is no failure."""
        if self.off:
            return Health(HealthState.HEALTHY, f"switched off: {self.off}")
        if self.task is None:
            return Health(HealthState.STOPPED, "waits for what it depends on" if self.wanted else "not started")
        if self.why_down:
            return Health(HealthState.UNHEALTHY, self.why_down, CRASH_LOOP if self.over_budget else "")
        return self.component.health()


class Supervisor:
    """Runs components, each in a task of its own. Use from one event loop.

    Args:
        tell: hears of every end that nobody asked for, before the wait begins.
    """

    def __init__(self, clock: Clock, *, tell: Callable[[Ended], None] = lambda ended: None) -> None:
        self.children: dict[str, Child] = {}
        self._clock = clock
        self._tell = tell
        self._off: dict[str, str] = {}
        self._restarting: set[asyncio.Task[None]] = set()

    def add(self, component: Component, rule: RestartRule | None = None) -> Child:
        """Hold a component; `start` runs it.

        Raises:
            ComponentTaken: choose another name.
        """
        name = component.name
        if name in self.children:
            raise ComponentTaken(f"a component named {name!r} is registered already: choose another name", name=name)
        child = self.children[name] = Child(component, rule or RestartRule(), off=self._off.get(name, ""))
        return child

    def keep_off(self, name: str, because: str) -> None:
        """Let nothing start a component that does not run yet, or is only added later, before `switch_on`."""
        self._off[name] = because
        if name in self.children:
            self.children[name].off = because

    async def switch_off(self, name: str, because: str) -> None:
        """End a component, and let nothing start it before `switch_on`; also one that is only added later."""
        self.keep_off(name, because)
        if name in self.children:
            await self.stop(name)

    def switch_on(self, name: str) -> None:
        """Let `start` run a component again."""
        self._off.pop(name, None)
        if name in self.children:
            self.children[name].off = ""

    def is_off(self, name: str) -> str:
        """Return why a component must not run, "" when it may."""
        return self._off.get(name, "")

    def start(self, name: str) -> None:
        """Run a component; one that runs already goes on, and one that is switched off stays so."""
        child = self._child(name)
        if not child.off:
            child.wanted = True
            self._launch(child)

    async def stop(self, name: str) -> None:
        """End a component; one that does not end in time is left behind and named in the log."""
        child = self._child(name)
        child.wanted = False
        self._cancel(child)
        for other in self._rest(child):  # nobody waits any more to start those anew that went down with it
            self._launch(other)
        await self._gone(child)

    async def restart(self, name: str) -> None:
        """Start a component anew at once, with a fresh budget, and what its rule says must follow.

        It goes on to its end when the caller is cancelled: the caller may be one of those that end.

        Raises:
            SwitchedOff: switch it on instead.
        """
        child = self._child(name)
        if child.off:
            raise SwitchedOff(f"{name} is switched off: {child.off}", name=name, because=child.off)
        child.wanted = True
        restarting = asyncio.get_running_loop().create_task(self._restart(child), name=f"restart of {name}")
        self._restarting.add(restarting)
        restarting.add_done_callback(self._restarting.discard)
        await asyncio.shield(restarting)

    async def _restart(self, child: Child) -> None:
        for other in (*reversed(self._rest(child)), child):
            await self._end(other)
        child.ends_ns.clear()
        child.over_budget = False
        for other in (child, *self._rest(child)):
            self._launch(other, anew=True)

    async def remove(self, name: str) -> None:
        """End a component and forget it."""
        await self.stop(name)
        del self.children[name]

    def dependants(self, name: str) -> Sequence[str]:
        """Return what depends on a component, directly or through others, in order of registration."""
        found = {name}
        grown = True
        while grown:
            more = {other for other, child in self.children.items() if found & set(child.component.depends_on)} - found
            found |= more
            grown = bool(more)
        return [other for other in self.children if other in found and other != name]

    def _child(self, name: str) -> Child:
        child = self.children.get(name)
        if child is None:
            known = ", ".join(self.children) or "nobody"
            raise ComponentUnknown(f"no component is named {name!r}; supervised: {known}", name=name)
        return child

    def _launch(self, child: Child, *, anew: bool = False) -> None:
        """Run it if it is to run and does not; its predecessor may be about to end."""
        if not child.wanted or child.off or child.task is not None:
            return
        child.why_down = ""
        child.restarts += anew
        child.task = asyncio.get_running_loop().create_task(self._keep_running(child), name=child.component.name)

    async def _keep_running(self, child: Child) -> None:
        await self._gone(child)
        while True:
            began_ns = self._clock.monotonic_ns()
            reason = await self._run_once(child.component)
            ended = self._judge(child, reason, began_ns)
            child.why_down = f"{reason}; started anew in {ended.wait_s:g} s"
            log.warning("%s %s", ended.component, child.why_down)
            self._say(ended)
            for other in reversed(self._rest(child)):
                await self._end(other)
            await self._clock.sleep(ended.wait_s)
            for other in reversed(self._rest(child)):  # whoever was started meanwhile holds what dies here, too
                await self._end(other)
            child.restarts += 1
            child.why_down = ""
            for other in self._rest(child):
                self._launch(other, anew=True)

    async def _run_once(self, component: Component) -> str:
        """Return how the run ended; raise CancelledError when that was asked for, whatever the run made of it."""
        task = asyncio.current_task()
        try:
            await component.run()
            reason = "ended by itself"
        except asyncio.CancelledError as error:  # one that leaked from something else that was cancelled is an end
            if task is None or task.cancelling():
                raise
            reason = f"ended with {type(error).__name__}: something that it waited for was cancelled"
        except Exception as error:  # the supervisor is the boundary: whatever ended the run, it goes on
            log.debug("%s failed", component.name, exc_info=error)
            reason = f"ended with {type(error).__name__}: {error}"
        if task is not None and task.cancelling():
            raise asyncio.CancelledError
        return reason

    def _say(self, ended: Ended) -> None:
        try:
            self._tell(ended)
        except Exception:  # whoever hears of it must not end the restart
            log.exception("the end of %s could not be told", ended.component)

    def _judge(self, child: Child, reason: str, began_ns: int) -> Ended:
        rule, now_ns = child.rule, self._clock.monotonic_ns()
        within_ns = int(rule.within_s * 1e9)
        if now_ns - began_ns > within_ns:
            child.ends_ns.clear()
            child.over_budget = False
        child.ends_ns.append(now_ns)
        in_row = len(child.ends_ns)
        recent = sum(1 for at_ns in child.ends_ns if now_ns - at_ns <= within_ns)
        child.over_budget = child.over_budget or recent > rule.restarts_max
        wait_s = min(rule.first_wait_s * 2.0 ** min(in_row - 1, 30), rule.longest_wait_s)
        while len(child.ends_ns) > rule.restarts_max + 1 and now_ns - child.ends_ns[0] > within_ns:
            child.ends_ns.popleft()
        return Ended(
            component=child.component.name,
            reason=reason,
            wait_s=rule.longest_wait_s if child.over_budget else wait_s,
            ends_in_row=in_row,
            over_budget=child.over_budget,
            restarts_with_it=tuple(other.component.name for other in self._rest(child)),
        )

    def _rest(self, child: Child) -> list[Child]:
        """Return who is to run with it and to be started anew with it."""
        if child.rule.restart is Restart.ONE_FOR_ONE:
            return []
        rest = (self.children[name] for name in self.dependants(child.component.name))
        return [other for other in rest if other.wanted]

    async def _end(self, child: Child) -> None:
        self._cancel(child)
        await self._gone(child)

    def _cancel(self, child: Child) -> None:
        task, child.task = child.task, None
        if task is not None:
            child.leaving.add(task)
            task.add_done_callback(child.leaving.discard)
            task.cancel()

    async def _gone(self, child: Child) -> None:
        if not child.leaving:
            return
        _, pending = await asyncio.wait(tuple(child.leaving), timeout=END_WITHIN_S)
        if pending:
            log.error("%s did not end within %g s of being cancelled", child.component.name, END_WITHIN_S)
            child.leaving -= pending
