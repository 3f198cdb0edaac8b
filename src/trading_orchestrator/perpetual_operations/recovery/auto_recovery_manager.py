"""AutoRecoveryManager: a failure climbs its ladder until a probe proves that the part is well again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.deadline import Deadline, DeadlinePassed
from trading_orchestrator.perpetual_operations.health.diagnosis import WELL
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport, PartHealth
from trading_orchestrator.perpetual_operations.incidents import facts as f
from trading_orchestrator.perpetual_operations.incidents.incident import Incident
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentLog
from trading_orchestrator.perpetual_operations.recovery.allowance import Allowance
from trading_orchestrator.perpetual_operations.recovery.ladder import Ladder, LadderRefused, Ladders, Step

log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.25
LET_GO_ROUNDS = 3
FORGET_ROUNDS = 30
"""A program may register its parts seconds after it has begun to watch: what was open is not over because of that."""
RECALL_WITHIN_S = 2.0
WAIT = "wait"  # the action that does nothing
WAIT_FOR_JOURNAL_S = 2.0


@dataclass(frozen=True)
class Failure:
    """What an action is called for."""

    incident_id: str
    part: str
    failure: str
    reason: str


Action = Callable[[Failure], Awaitable[str]]


@dataclass
class Climb:
    """One part on its ladder. `last`: what was tried last to repair it, which gets the credit if it reads well.

    `made_safe`: a step left it so that only a person lets it go on.
    """

    ladder: Ladder
    task: asyncio.Task[None] | None = None
    last: str = ""
    made_safe: bool = False


class AutoRecoveryManager:
    """Watches the health report, keeps one incident for each root cause, and climbs its ladder.

    Detection, proof and end all come from the same probe: a part is repaired when it reads well, not when an action
    says so. Use from one event loop.

    Args:
        report: returns the newest health report.
        enabled: off, incidents are kept and nothing is repaired.
        has_heirs: whether other nodes may go on with an incident of what is watched here no longer.
    """

    name = "auto_recovery_manager"
    depends_on: Sequence[str] = ()

    def __init__(
        self,
        clock: Clock,
        incidents: IncidentLog,
        ladders: Ladders,
        *,
        report: Callable[[], HealthReport],
        enabled: bool = True,
        has_heirs: bool = False,
    ) -> None:
        self.incidents = incidents
        self.ladders = ladders
        self.enabled = enabled
        self._has_heirs = has_heirs
        self._clock = clock
        self._report = report
        self._actions: dict[str, Action] = {}
        self._repairing: set[str] = set()
        self._allowance = Allowance()
        self._climbs: dict[str, Climb] = {}
        self._last_well_ns: dict[str, int] = {}
        self._watched: set[str] = set()
        self._unwatched_rounds: dict[str, int] = {}
        self._looked_at_ns = 0
        self._news: asyncio.Event | None = None

    @property
    def actions(self) -> Mapping[str, Action]:
        return self._actions

    def add_action(self, name: str, action: Action, *, replace: bool = False, repairs: bool = True) -> None:
        """Let ladders name an action. It returns a sentence on what it did, and raises when it could not.

        Args:
            replace: take the place of the action of this name; a program knows better than a default how to shed load.
            repairs: whether it can bring the part back; one that only waits, or makes safe, gets no credit.

        Raises:
            LadderRefused: the name is taken, and `replace` was not said.
        """
        if name in self._actions and not replace:
            raise LadderRefused(f"an action named {name!r} is registered already: choose another name", key=name)
        self._actions[name] = action
        (self._repairing.add if repairs else self._repairing.discard)(name)

    def switch(self, on: bool) -> None:
        """Repair from now on, or no longer: then what is under way ends, and incidents are kept all the same."""
        self.enabled = on
        if not on:
            for part in list(self._climbs):
                self._end_climb(part)

    def health(self) -> Health:
        if not self.enabled:
            return Health(HealthState.HEALTHY, "repairs nothing: switched off")
        stuck = [one for one in self.incidents.open.values() if one.state == "exhausted"]
        if stuck:
            return Health(HealthState.DEGRADED, f"no step helped {stuck[0].part}: a person is needed")
        climbing = ", ".join(self._climbs)
        return Health(HealthState.HEALTHY, f"repairs {climbing}" if climbing else "nothing to repair")

    async def run(self) -> None:
        """Look at each new report until cancelled; climbs that are under way end with it.

        Raises:
            LadderRefused: a ladder names an action that nobody registered.
        """
        self.ladders.check(self._actions)
        try:
            await self._wait_for_open_incidents()
            while True:
                report = self._report()
                if report.at_ns != self._looked_at_ns:
                    self._looked_at_ns = report.at_ns
                    self.look(report)
                await self._next_report()
        finally:
            for climb in self._climbs.values():
                if climb.task is not None:
                    climb.task.cancel()
            self._climbs.clear()

    def reported(self) -> None:
        """There is a new report: whoever says so once need not be looked at four times a second."""
        self._news = self._news or asyncio.Event()
        self._news.set()

    async def _next_report(self) -> None:
        if self._news is None:
            await self._clock.sleep(LOOK_EVERY_S)
            return
        await self._news.wait()
        self._news.clear()

    async def _wait_for_open_incidents(self) -> None:
        """What the predecessor of this process left open goes on; a journal that cannot be read is not waited for."""
        for _ in range(round(WAIT_FOR_JOURNAL_S / LOOK_EVERY_S)):
            if self.incidents.loaded:
                return
            await self._clock.sleep(LOOK_EVERY_S)

    def inherit(self, incident: Incident) -> None:
        """Go on with an incident that is nobody's; the next report tells how its part is."""
        self._end_climb(incident.part)
        self.incidents.inherit(incident)

    def leave(self, incident: Incident) -> None:
        """Go on no longer with what another node goes on with; what this one sees is an incident of its own again."""
        self._end_climb(incident.part)
        self.incidents.leave(incident)

    def look(self, report: HealthReport) -> None:
        """Open, join, merge and resolve incidents after one report.

        Only a part that reads healthy here ends its incident: one that starts proves nothing, and one that another
        node answers for is that node's to prove.
        """
        for part in report.parts:
            if part.state is HealthState.HEALTHY and not part.because_of and not part.elsewhere:
                self._last_well_ns[part.name] = report.at_ns
                if part.name in self.incidents.open:
                    self._resolve(part, report.at_ns)
        for part in report.parts:
            if self._fails(part):
                self._open(part, report.at_ns)
        for part in report.parts:
            if part.because_of:
                self._blame(part, report.at_ns)
        self._leave_unwatched(report)

    def _leave_unwatched(self, report: HealthReport) -> None:
        """Let go of incidents whose parts are watched elsewhere now, and forget those that nobody watches."""
        parts = {part.name: part for part in report.parts}
        self._watched |= parts.keys()
        for name, incident in list(self.incidents.open.items()):
            part = parts.get(name)
            if part is not None and not part.elsewhere:
                self._unwatched_rounds.pop(name, None)
                continue
            rounds = self._unwatched_rounds[name] = self._unwatched_rounds.get(name, 0) + 1
            if part is None and (name in self._watched or rounds >= FORGET_ROUNDS):
                self._forget(incident, report.at_ns)
            elif part is not None and rounds >= LET_GO_ROUNDS:
                self._let_go(incident, part, report.at_ns)

    def _fails(self, part: PartHealth) -> bool:
        if part.because_of or part.elsewhere or part.state in WELL:
            return False
        if part.state is not HealthState.DEGRADED:
            return True
        return self.ladders.of(part.name, part.failure).degraded_too

    def _open(self, part: PartHealth, at_ns: int) -> None:
        incident = self.incidents.open.get(part.name)
        if incident is None:
            incident = self.incidents.say(
                f.Opened(
                    incident_id=self.incidents.new_id(),
                    at_ns=at_ns,
                    part=part.name,
                    failure=part.failure or self.ladders.of(part.name, part.failure).failure,
                    reason=part.reason,
                    last_well_ns=self._last_well_ns.get(part.name, 0),
                )
            )
            log.warning("incident %s: %s: %s", incident.incident_id, part.name, part.reason)
        elif self.ladders.is_worse(part.failure, incident.failure):
            incident = self._reclassify(incident, part, at_ns)
        if self.enabled and part.name not in self._climbs:
            climb = self._climbs[part.name] = Climb(self.ladders.of(part.name, incident.failure))
            climb.task = asyncio.get_running_loop().create_task(
                self._climb(incident, climb), name=f"recovery of {part.name}"
            )

    def _reclassify(self, incident: Incident, part: PartHealth, at_ns: int) -> Incident:
        """The part is worse than it was found: what was tried for the lesser failure ends."""
        self._end_climb(part.name)
        log.warning("incident %s: %s is worse: %s", incident.incident_id, part.name, part.reason)
        about = {"incident_id": incident.incident_id, "at_ns": at_ns, "was": incident.failure}
        return self.incidents.say(f.Reclassified(**about, failure=part.failure, reason=part.reason))  # type: ignore[arg-type]

    def _blame(self, part: PartHealth, at_ns: int) -> None:
        """A dependant joins the incidents of its causes; an incident of its own goes up in the first of them."""
        causes = [self.incidents.open[name] for name in part.because_of if name in self.incidents.open]
        for cause in causes:
            if part.name not in cause.affected:
                body = f.Joined(incident_id=cause.incident_id, at_ns=at_ns, part=part.name, reason=part.reason)
                self.incidents.say(body)
        own = self.incidents.open.get(part.name)
        if own is not None and causes:
            self._end_climb(part.name)
            self.incidents.say(f.Merged(incident_id=own.incident_id, at_ns=at_ns, into=causes[0].incident_id))

    def _resolve(self, part: PartHealth, at_ns: int) -> None:
        incident = self.incidents.open[part.name]
        by = self._last_repair(incident)
        proof = f"{part.name} reads {part.state.value}" + (f": {part.reason}" if part.reason else "")
        self._end_climb(part.name)
        self.incidents.say(f.Resolved(incident_id=incident.incident_id, at_ns=at_ns, proof=proof, by=by))
        log.info("incident %s is over: %s", incident.incident_id, proof)

    def _last_repair(self, incident: Incident) -> str:
        """Return what was tried last, here or on the node that had the incident before."""
        climb = self._climbs.get(incident.part)
        if climb is not None and climb.last:
            return climb.last
        tried = (step.action for step in reversed(incident.steps) if step.outcome != "skipped")
        return next((action for action in tried if action in self._repairing), "")

    def _let_go(self, incident: Incident, part: PartHealth, at_ns: int) -> None:
        if not self._has_heirs:
            self._forget(incident, at_ns)
            return
        self._end_climb(incident.part)
        self._unwatched_rounds.pop(incident.part)
        self.incidents.say(f.LetGo(incident_id=incident.incident_id, at_ns=at_ns, why=part.reason))

    def _forget(self, incident: Incident, at_ns: int) -> None:
        self._end_climb(incident.part)
        self._unwatched_rounds.pop(incident.part)
        proof = f"{incident.part} is not watched any more"
        about = {"incident_id": incident.incident_id, "at_ns": at_ns}
        self.incidents.say(f.Resolved(**about, proof=proof, by=f.NOT_WATCHED))  # type: ignore[arg-type]

    def _end_climb(self, part: str) -> None:
        climb = self._climbs.pop(part, None)
        if climb is None:
            return
        if climb.task is not None and climb.task is not asyncio.current_task():
            climb.task.cancel()

    async def _climb(self, incident: Incident, climb: Climb) -> None:
        ladder = climb.ladder
        failure = Failure(incident.incident_id, incident.part, incident.failure, incident.reason)
        while ladder.steps or ladder.pages_at_once:
            await self._recall(failure.part)
            for number, step in enumerate(ladder.steps, 1):
                await self._clock.sleep(step.wait_s)
                for attempt in range(1, step.tries + 1):
                    await self._while_it_works(failure.part)
                    if not await self._take(failure, climb, number, step, attempt):
                        break
                    await self._clock.sleep(step.proof_s)  # reading well meanwhile ends the climb
            if not climb.made_safe:
                await self._while_it_works(failure.part)
            if await self.incidents.stands_for_itself(failure.incident_id):
                self.incidents.say(
                    f.Exhausted(
                        incident_id=failure.incident_id,
                        at_ns=self._clock.wall_ns(),
                        part=failure.part,
                        failure=failure.failure,
                        again_in_s=ladder.again_s if ladder.steps else 0.0,
                        left=ladder.halts_safely,
                    )
                )
            log.error("%s: no step helped; %s", failure.part, ladder.halts_safely or "a person is needed")
            if not ladder.steps:
                return
            await self._clock.sleep(ladder.again_s)

    async def _while_it_works(self, part: str) -> None:
        """What works again, if not well, is left alone: a desk that a step halted needs a person, and no other node."""
        while self._works(part):
            await self._clock.sleep(LOOK_EVERY_S)

    def _works(self, name: str) -> bool:
        part = next((part for part in self._report().parts if part.name == name), None)
        return part is not None and part.state is HealthState.DEGRADED and not part.because_of and not self._fails(part)

    async def _recall(self, part: str) -> None:
        """Count what was tried before this process, and by others; a journal that does not answer is not waited for."""
        wall_ns = self._clock.wall_ns()
        asking = self.incidents.steps_taken(part, wall_ns - int(self.ladders.longest_s * 1e9))
        try:
            taken = await Deadline(self._clock, RECALL_WITHIN_S).run(asking)
        except OrchestratorError as error:
            log.warning("what was tried for %s before is not known: %s", part, error.message)
            return
        self._allowance.recall(part, taken, now_ns=self._clock.monotonic_ns(), wall_ns=wall_ns)

    async def _take(self, failure: Failure, climb: Climb, number: int, step: Step, attempt: int) -> bool:
        """Run one rung once; return whether it was used at all."""
        at_ns, began_ns = self._clock.wall_ns(), self._clock.monotonic_ns()  # a step of the clock lengthens no budget
        about = {"incident_id": failure.incident_id, "step": number, "action": step.action, "attempt": attempt}
        asks = attempt == 1 and step.action != WAIT  # patience does no harm, however often
        refusal = self._allowance.refusal(failure.part, step, began_ns) if asks else ""
        if refusal:
            body = f.StepEnded(**about, at_ns=at_ns, outcome="skipped", said=refusal, took_ms=0.0)  # type: ignore[arg-type]
            self.incidents.say(body)
            return False
        self._allowance.use(failure.part, step, now_ns=began_ns, at_ns=at_ns)
        self.incidents.say(f.StepStarted(**about, at_ns=at_ns))  # type: ignore[arg-type]
        climb.last = step.action if step.action in self._repairing else climb.last
        outcome, said = await self._act(failure, step)
        climb.made_safe |= outcome == "done" and step.action != WAIT and step.action not in self._repairing
        took_ms = round((self._clock.monotonic_ns() - began_ns) / 1e6, 3)
        at_ns = self._clock.wall_ns()
        body = f.StepEnded(**about, at_ns=at_ns, outcome=outcome, said=said, took_ms=took_ms)  # type: ignore[arg-type]
        self.incidents.say(body)
        return True

    async def _act(self, failure: Failure, step: Step) -> tuple[f.Outcome, str]:
        try:
            return "done", await Deadline(self._clock, step.deadline_s).run(self._actions[step.action](failure))
        except DeadlinePassed:
            return "late", f"did not end within {step.deadline_s:g} s"
        except OrchestratorError as error:
            return "failed", error.message
        except Exception as error:  # noqa: BLE001  # an action is foreign code: whatever it raises is a failed step
            return "failed", f"{type(error).__name__}: {error}"
