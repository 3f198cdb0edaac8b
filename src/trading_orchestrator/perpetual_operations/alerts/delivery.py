"""Delivery: tries what is due in the outbox, by another way when one is down, and reports what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from trading_orchestrator.errors import OrchestratorError, Refused, Unknown
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.faultpoint import FaultPoint, no_fault
from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.channels.port import Channel, Letter, ReceiverBusy
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.lane import ChannelPaused, Lane
from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig
from trading_orchestrator.perpetual_operations.alerts.lead import Lead
from trading_orchestrator.perpetual_operations.alerts.message import notified_on_the_wall_clock, on_the_wall_clock
from trading_orchestrator.perpetual_operations.alerts.state import Outgoing

Deed = Callable[[Engine, int], Sequence[f.Body]]
SAID_LEN = 300


@dataclass(frozen=True)
class Way:
    """One way to a receiver: by the first lane, and by each next one where those before it fail."""

    lanes: tuple[Lane, ...]

    @property
    def name(self) -> str:
        """Return the name of the channel that the receiver asked for."""
        return self.lanes[0].name


Ways = Sequence[Way]


@dataclass(frozen=True)
class Carried:
    """What the lanes of a way said, in the order they were asked; `error`: why none has the letter."""

    answers: tuple[f.Answer, ...]
    error: OrchestratorError | None = None


class Delivery:
    """One task a message, which is delivered once every way of its receiver has taken it. Use from one event loop.

    Which ways have taken a message is known in memory only: after a death they get it again, under the same key. So is
    which channel asked for a pause; within one a message is not tried there, critical or not, while others are.

    Args:
        ways: by receiver; a bare channel gets a lane of its own with the default guards.
        key_prefix: what makes our idempotency keys differ from those of another journal.
        report: takes the outcome of a try, to be decided by the engine in the next turn.
        carries: what its fault points begin with.
        unlisted: returns what a message stands for besides the alerts that it lists.
        lead: how far the times in messages are ahead of the wall clock, which their readers live by.
    """

    def __init__(
        self,
        ways: Mapping[str, Channel | Ways],
        clock: Clock,
        *,
        key_prefix: str,
        report: Callable[[Deed], None],
        fault: FaultPoint = no_fault,
        carries: str = "alert",
        unlisted: Callable[[f.NotificationDue], Sequence[f.Notified]] = lambda message: (),
        lead: Lead | None = None,
    ) -> None:
        self._unlisted = unlisted
        self._lead = lead or Lead()
        self.ways: Mapping[str, Ways] = {
            name: one if isinstance(one, Sequence) else (Way((Lane(name, one, LaneConfig(), clock),)),)
            for name, one in ways.items()
        }
        self._key_prefix = key_prefix
        self._report = report
        self._fault = fault
        self._carries = carries
        self._clock = clock
        self._trying: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, set[asyncio.Task[Any]]] = {}
        self._out: dict[str, int] = {}
        self._begun: set[str] = set()
        self._taken: dict[str, dict[str, Carried]] = {}
        self._rests: dict[str, dict[str, int]] = {}

    @property
    def lanes(self) -> Sequence[Lane]:
        """Return every lane once."""
        return list({id(lane): lane for ways in self.ways.values() for way in ways for lane in way.lanes}.values())

    def is_trying(self, notification_id: str) -> bool:
        """Return whether a try of this message is under way, or waits for its channel's budget."""
        return notification_id in self._trying

    def is_out(self, notification_id: str) -> bool:
        """Return whether its bytes may be on their way now; one that only waits for its turn can be taken back."""
        return notification_id in self._out

    def may_be_known(self, notification_id: str) -> bool:
        """Return whether the try that is under way has reached, or may have reached, any of its channels."""
        return notification_id in self._begun

    def follow(self, outbox: Mapping[str, Outgoing], due: Sequence[Outgoing]) -> None:
        """Begin the tries that are due; of those that are not in the outbox any more give up what still waits.

        What is out by one way goes on, though another way of the same message waits.
        """
        for name in [name for name in self._waiting if name not in outbox]:
            for way in self._waiting[name]:
                way.cancel()
        for kept in (self._taken, self._rests):
            for name in [name for name in kept if name not in outbox]:
                del kept[name]
        for outgoing in due:
            name = outgoing.message.notification_id
            if name not in self._trying:
                self._trying[name] = asyncio.create_task(self._try(outgoing.message, outgoing.tries), name=name)

    async def stop(self) -> None:
        """Break off every try; each is made again, under the same key, after the next start."""
        tasks, self._trying, self._begun = list(self._trying.values()), {}, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def carry(self, way: Way, letter: Letter, *, tries: int = 0) -> Carried:
        """Return what the lanes said, up to the first that took the letter.

        Its error is Refused only when every lane refuses.

        Args:
            tries: how often this letter failed before.
        """
        answers: list[f.Answer] = []
        failures: list[OrchestratorError] = []
        for lane in way.lanes:
            try:
                answer = await self._by(lane, letter)
            except OrchestratorError as error:
                failures.append(error)
                answers.append(_no(lane, error))
                if _may_wait(error, lane, letter, tries):
                    break
            else:
                return Carried((*answers, f.Answer(lane.name, answer[:SAID_LEN], is_taken=True)))
        soonest = min((error for error in failures if not isinstance(error, Refused)), key=_wait_s, default=failures[0])
        return Carried(tuple(answers), soonest)

    async def _by(self, lane: Lane, letter: Letter) -> str:
        rests = self._rests.setdefault(letter.message.notification_id, {})
        left_s = (rests.get(lane.name, 0) - self._clock.monotonic_ns()) / 1e9
        if left_s > 0:
            raise ChannelPaused(f"{lane.name} asked for a pause", retry_after_s=left_s, channel=lane.name)
        async with self._turn(lane, letter):
            await self._fault(f"{self._carries}.sending")
            try:
                carrying = lane.carry(letter, is_critical=letter.is_critical)
                answer, _ = await asyncio.gather(carrying, self._fault(f"{self._carries}.in_flight"))
            except ReceiverBusy as error:
                rests[lane.name] = self._clock.monotonic_ns() + round(_wait_s(error) * 1e9)
                raise
            await self._fault(f"{self._carries}.answered")
            return answer

    @asynccontextmanager
    async def _turn(self, lane: Lane, letter: Letter) -> AsyncIterator[None]:
        """A message that only waits for its turn can be taken back; one whose bytes may be out cannot."""
        name, way = letter.message.notification_id, asyncio.current_task()
        assert way is not None
        async with AsyncExitStack() as stack:
            waiting = self._waiting.setdefault(name, set())
            waiting.add(way)
            try:
                await stack.enter_async_context(lane.turn(is_critical=letter.is_critical))
            finally:
                waiting.discard(way)
                if not waiting:
                    self._waiting.pop(name, None)
            self._begun.add(name)
            self._out[name] = self._out.get(name, 0) + 1
            try:
                yield
            finally:
                self._out[name] -= 1
                if not self._out[name]:
                    del self._out[name]

    async def _try(self, message: f.NotificationDue, tries: int) -> None:
        name = message.notification_id
        letter = self._letter(message)
        taken = self._taken.setdefault(name, {})
        left = [way for way in self.ways.get(message.receiver, ()) if way.name not in taken]
        before = list(taken.values())
        ends = await self._carry_all(left, letter, tries)
        taken |= {way.name: end for way, end in ends if end.error is None}
        self._trying.pop(name, None)
        self._begun.discard(name)
        if ends or not left:
            self._report(_deed(name, before, [end for _, end in ends]))

    def _letter(self, message: f.NotificationDue) -> Letter:
        lead_ns, key = self._lead.ns, f"{self._key_prefix}-{message.notification_id}"
        return Letter(
            on_the_wall_clock(message, lead_ns),
            key,
            lambda: [notified_on_the_wall_clock(one, lead_ns) for one in self._unlisted(message)],
        )

    async def _carry_all(self, ways: Ways, letter: Letter, tries: int) -> Sequence[tuple[Way, Carried]]:
        """Return what became of each way but those that were taken back while they waited for their turn."""
        carrying = [asyncio.create_task(self.carry(way, letter, tries=tries)) for way in ways]
        try:
            await asyncio.gather(*carrying, return_exceptions=True)
        finally:
            for one in carrying:
                one.cancel()
        return [(way, one.result()) for way, one in zip(ways, carrying, strict=True) if not one.cancelled()]


def _no(lane: Lane, error: OrchestratorError) -> f.Answer:
    return f.Answer(lane.name, error.message[:SAID_LEN], is_taken=False, is_unknown=isinstance(error, Unknown))


def _deed(name: str, before: Sequence[Carried], ends: Sequence[Carried]) -> Deed:
    """What the ends of all ways mean: arrived where nobody is left to be tried again and somebody took it.

    Args:
        before: what was taken at an earlier try.
    """
    answers = tuple(answer for end in ends for answer in end.answers)
    said = f.in_words([*(answer for end in before for answer in end.answers), *answers])
    again = [end.error for end in ends if end.error is not None and not isinstance(end.error, Refused)]
    if again:
        wait_s = min(map(_wait_s, again))
        return lambda engine, now_ns: engine.failed(name, now_ns, said, wait_s, answers)
    if any(end.error is None for end in (*before, *ends)):
        return lambda engine, now_ns: engine.delivered(name, now_ns, said, answers)
    said = said or "no channel reaches the receiver any more"
    return lambda engine, now_ns: engine.refused(name, now_ns, said, answers)


def _wait_s(error: OrchestratorError) -> float:
    return getattr(error, "retry_after_s", None) or 0.0


def _may_wait(error: OrchestratorError, lane: Lane, letter: Letter, tries: int) -> bool:
    """Return whether the next try of the same lane is soon enough, before another lane is asked."""
    if isinstance(error, Refused) or lane.is_down or letter.is_critical:
        return False
    return tries + 1 < lane.config.fallback_after_tries
