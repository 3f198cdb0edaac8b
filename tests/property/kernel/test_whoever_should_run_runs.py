"""Started, stopped, restarted, failed or leaked in any order: in the end every part that should run runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.supervisor import Ended, Restart, RestartRule, Supervisor

DEPENDS_ON = {"ground": (), "cellar": (), "wall": ("ground",), "roof": ("wall", "cellar"), "tree": ()}
ONE_FOR_ONE = ("roof", "tree")
NAMES = st.sampled_from(tuple(DEPENDS_ON))
MANNERS = st.sampled_from(("fails", "returns", "leaks", "leaks at once"))


class Part:
    """Runs until told how to end; takes its time to leave, and may make something else of being cancelled."""

    def __init__(self, name: str, clock: VirtualClock) -> None:
        self.name = name
        self.depends_on: Sequence[str] = DEPENDS_ON[name]
        self.clings = ""
        self.running = 0
        self.ran_twice = False
        self._clock = clock
        self._told: asyncio.Future[str] | None = None

    def health(self) -> Health:
        return Health(HealthState.HEALTHY, "runs")

    def tell(self, manner: str) -> None:
        if self._told is not None and not self._told.done():
            self._told.set_result(manner)

    async def run(self) -> None:
        self.running += 1
        self.ran_twice = self.ran_twice or self.running > 1
        self._told = asyncio.get_running_loop().create_future()
        try:
            await self._end_as(await self._told)
        except asyncio.CancelledError:
            await self._leave()
        finally:
            self.running -= 1

    async def _end_as(self, manner: str) -> None:
        if manner == "fails":
            raise RuntimeError("lost its way")
        if manner == "leaks":
            inner = asyncio.ensure_future(self._clock.sleep(100.0))
            asyncio.get_running_loop().call_soon(inner.cancel)
            await inner
        elif manner == "leaks at once":
            raise asyncio.CancelledError

    async def _leave(self) -> None:
        if self.clings == "takes its time":
            await self._clock.sleep(0.3)
        elif self.clings == "fails":
            raise RuntimeError("could not leave")
        elif self.clings == "returns":
            return
        raise asyncio.CancelledError


class Supervised(RuleBasedStateMachine):
    """`wanted` is what a person would say of each part: started or restarted last, or stopped last."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = VirtualClock()
        self.supervisor = Supervisor(self.clock, tell=self._tell)
        self.parts = {name: Part(name, self.clock) for name in DEPENDS_ON}
        for name, part in self.parts.items():
            how = Restart.ONE_FOR_ONE if name in ONE_FOR_ONE else Restart.REST_FOR_ONE
            self.supervisor.add(part, RestartRule(restart=how, first_wait_s=1.0, longest_wait_s=3.0))
        self.wanted: set[str] = set()
        self.off: set[str] = set()
        self.asked: list[asyncio.Task[None]] = []
        self.tell_fails = False

    def _tell(self, ended: Ended) -> None:
        if self.tell_fails:
            raise ValueError("nobody can be told")

    @rule(name=NAMES)
    def start(self, name: str) -> None:
        self._at_once(lambda: self.supervisor.start(name))
        self.wanted |= {name} - self.off

    @rule(name=NAMES)
    def stop(self, name: str) -> None:
        self._ask(self.supervisor.stop(name))
        self.wanted -= {name}

    @precondition(lambda self: len(self.off) < len(DEPENDS_ON))
    @rule(name=NAMES)
    def restart(self, name: str) -> None:
        if name not in self.off:
            self._ask(self.supervisor.restart(name))
            self.wanted |= {name}

    @rule(name=NAMES)
    def switch(self, name: str) -> None:
        if name in self.off:
            self._at_once(lambda: self.supervisor.switch_on(name))
            self.off -= {name}
        else:
            self._ask(self.supervisor.switch_off(name, "a test"))
            self.off |= {name}
            self.wanted -= {name}

    @rule(name=NAMES, manner=MANNERS)
    def end(self, name: str, manner: str) -> None:
        self.parts[name].tell(manner)

    @rule(names=st.tuples(NAMES, NAMES), manner=MANNERS)
    def end_two_at_once(self, names: tuple[str, str], manner: str) -> None:
        for name in names:
            self.parts[name].tell(manner)

    @rule(name=NAMES, how=st.sampled_from(("", "takes its time", "fails", "returns")))
    def cling(self, name: str, how: str) -> None:
        self.parts[name].clings = how

    @rule(fails=st.booleans())
    def fail_to_tell(self, fails: bool) -> None:
        self.tell_fails = fails

    @precondition(lambda self: self.asked)
    @rule()
    def walk_away(self) -> None:
        """Whoever asked last is cancelled while it waits."""
        self.asked.pop().cancel()

    @rule(seconds=st.sampled_from((0.0, 0.1, 1.0, 4.0)))
    def pass_time(self, seconds: float) -> None:
        self.loop.run_until_complete(self._let_pass(seconds))

    def teardown(self) -> None:
        self.loop.run_until_complete(self._let_pass(30.0))
        running = {name for name, part in self.parts.items() if part.running}
        twice = [name for name, part in self.parts.items() if part.ran_twice]
        said_well = {name for name, child in self.supervisor.children.items() if child.health().reason == "runs"}
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(self._let_pass(1.0))
        self.loop.close()

        assert self.wanted == running
        assert self.wanted == said_well
        assert [] == twice

    def _ask(self, asking: object) -> None:
        async def begin() -> None:
            self.asked.append(asyncio.ensure_future(asking))  # type: ignore[call-overload]
            await asyncio.sleep(0)

        self.loop.run_until_complete(begin())

    def _at_once(self, act: object) -> None:
        async def do() -> None:
            act()  # type: ignore[operator]

        self.loop.run_until_complete(do())

    async def _let_pass(self, seconds: float) -> None:
        for _ in range(max(1, round(seconds / 0.1))):
            await self.clock.advance(0.1 if seconds else 0.0)


Supervised.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestWhoeverShouldRunRuns = Supervised.TestCase
