"""Watching: looks at numbers each interval and at facts as they are written, and tells what the rules make of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.alerts.alert import AlertRefused, Posted, admitted, shortened
from trading_orchestrator.perpetual_operations.alerts.past import SeriesPast, known_from
from trading_orchestrator.perpetual_operations.alerts.readings import Reading, Sampler
from trading_orchestrator.perpetual_operations.alerts.rider import Body
from trading_orchestrator.perpetual_operations.alerts.rules.config import Books
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Measure
from trading_orchestrator.storage.ports import FactStore

log = logging.getLogger(__name__)
PAGE = 500
LISTEN_S = 5.0
LOOKS_APART_S = 0.05  # a desk that writes hundreds of facts a second is looked at in lots
Read = Callable[[], Awaitable[Iterable[Reading]]]
ReadPast = Callable[[Mapping[str, Sequence[Measure]], int], Awaitable[Sequence[SeriesPast]]]


async def nothing_is_kept(windows: Mapping[str, Sequence[Measure]], now_ns: int) -> Sequence[SeriesPast]:
    """Return what is known of the past where no history is kept."""
    return ()


class Tells(Protocol):
    """Who is told: the alert manager."""

    def now_ns(self) -> int: ...

    def wall_ns(self) -> int: ...

    async def tell(self, alerts: Sequence[Posted], also: Sequence[Body] = ()) -> None: ...


class Watching:
    """Runs both books against one alert manager, under its lease and with its clock. One event loop.

    Args:
        read: returns everything that can be measured now.
        past: returns what was measured of these metrics, as far back as their measures look.
        before: what watched in this process until now, by another config: its samples go on.
    """

    def __init__(
        self,
        books: Books,
        store: FactStore,
        clock: Clock,
        *,
        read: Read,
        interval_s: float,
        past: ReadPast = nothing_is_kept,
        before: Watching | None = None,
    ) -> None:
        self._books = books
        self._store = store
        self._clock = clock
        self._read = read
        self._interval_s = interval_s
        self._samples = books.rules.samples()
        wanted = books.rules.memory()
        self._sampler = Sampler(self._samples, wanted.__contains__)
        self._past = past
        self._before = before
        self._known_from_ns: dict[str, int] = {}
        rules = books.facts.rules.values()
        self._kinds = sorted({kind for rule in rules for kind in (rule.fact, *rule.until)})
        self._broken: Mapping[str, OrchestratorError] = {}
        self._left_out: dict[str, OrchestratorError] = {}

    @property
    def broken(self) -> Mapping[str, OrchestratorError]:
        """Return by rule what kept the last look from telling of it."""
        return {**self._broken, **self._left_out}

    async def run(self, told: Tells) -> None:
        """Watch until cancelled; whatever ends one half ends both."""
        await self._remember(told.now_ns())
        await told.tell([], self._books.beats.start(self._samples, told.now_ns()))
        self._books.rules.start(told.now_ns(), self._known_from_ns)
        async with asyncio.TaskGroup() as halves:
            halves.create_task(self._measure(told), name="alerts-measure")
            halves.create_task(self._listen(told), name="alerts-listen")

    async def _remember(self, now_ns: int) -> None:
        """Fill in the past: from what watched before, else from the history. Before the first start there is none."""
        windows = self._books.rules.windows()
        before, self._before = self._before, None
        if not self._books.facts.pos:
            self._known_from_ns = dict.fromkeys(windows, 0)
        if before is not None:
            self._known_from_ns |= self._adopt(before, now_ns)
        left = {metric: measures for metric, measures in windows.items() if metric not in self._known_from_ns}
        try:
            past = await self._past(left, now_ns) if left else ()
        except OrchestratorError as error:
            log.warning("rules with a window wait until it is covered: %s", error.message)
            return
        for one in past:
            self._samples.fill(one.metric, one.labels, one.at_ns, one.values)
        self._known_from_ns = {**dict.fromkeys(windows, now_ns), **self._known_from_ns, **known_from(past)}

    def _adopt(self, before: Watching, now_ns: int) -> dict[str, int]:
        """Take over samples of which the other kept as much as we do; returns from when on they are known."""
        kept_ns = before._books.rules.memory()
        ours = [metric for metric, ns in self._books.rules.memory().items() if kept_ns.get(metric, 0) >= ns]
        self._samples.adopt(before._samples, ours)
        self._sampler.adopt(before._sampler)
        known = {metric: before._known_from_ns[metric] for metric in ours if metric in before._known_from_ns}
        return {metric: max(from_ns, now_ns - kept_ns[metric]) for metric, from_ns in known.items()}

    async def beat(self, monitor: str, told: Tells) -> None:
        """Take a sign of life of a monitored program; no restart forgets it once this returns."""
        await told.tell([], self._books.beats.hear(monitor, self._samples, told.now_ns()))

    async def _measure(self, told: Tells) -> None:
        while True:
            began_ns = self._clock.monotonic_ns()
            await self.evaluate(told)
            took_s = (self._clock.monotonic_ns() - began_ns) / 1e9
            await self._clock.sleep(max(0.0, self._interval_s - took_s))

    async def evaluate(self, told: Tells) -> None:
        """Look once, and tell."""
        readings = await self._read()
        now_ns = told.now_ns()
        self._sampler.take(readings, now_ns)
        measured = self._books.rules.evaluate(self._samples, now_ns, told.wall_ns())
        lasting = self._books.facts.evaluate(now_ns)
        self._broken, self._left_out = measured.broken, {}
        await self._tell(told, [*measured.alerts, *lasting.alerts], [*measured.facts, *lasting.facts])

    async def _tell(self, told: Tells, alerts: Sequence[Posted], also: Sequence[Body]) -> None:
        """Tell, without the alerts that cannot be taken: one of them must not end the telling of all others."""
        try:
            await told.tell(alerts, also)
        except AlertRefused:
            taken = [one for alert in alerts if (one := self._takeable(alert, told.now_ns())) is not None]
            await told.tell(taken, also)

    def _takeable(self, alert: Posted, now_ns: int) -> Posted | None:
        for one in (alert, shortened(alert)):
            try:
                admitted(one, now_ns, 0)
            except AlertRefused as error:
                name = alert.labels.get("alertname", "")
                said = f"rule {name}: an alert of it was {'cut' if one is alert else 'left out'}: {error.message}"
                self._left_out[name] = AlertRefused(said, labels=alert.labels)
            else:
                return one
        return None

    async def _listen(self, told: Tells) -> None:
        """Show the fact book every fact of its kinds from where it stands; a first start begins at the head."""
        facts = self._books.facts
        if not facts.pos:
            await told.tell([], facts.read_to(await self._head(), told.now_ns()))
        pos = facts.pos
        while True:
            head = await self._head()
            pos = await self._see(pos, told)
            pos = max(pos, head)  # everything up to `head` was there when the last page was read
            if self._kinds:
                marks = facts.read_to(pos, told.now_ns())
                await told.tell([], marks)
            await self._clock.sleep(LOOKS_APART_S)
            await self._store.wait_change(pos, LISTEN_S)

    async def _see(self, pos: int, told: Tells) -> int:
        if not self._kinds:
            return pos
        while page := await self._store.read(after_pos=pos, limit=PAGE, kinds=self._kinds):
            alerts: list[Posted] = []
            also: list[Body] = []
            for fact in page:
                seen = self._books.facts.see(
                    stream=fact.stream, kind=fact.kind, body=fact.body, pos=fact.pos, now_ns=told.now_ns()
                )
                alerts += seen.alerts
                also += seen.facts
            await self._tell(told, alerts, also)
            pos = page[-1].pos
        return pos

    async def _head(self) -> int:
        return max((head.pos for head in await self._store.heads()), default=0)
