"""The arena of drills: a practice venue and a whole system of ours on it, in a directory of their own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trading_orchestrator.drills.evidence import Evidence, JournalFact, read_journal
from trading_orchestrator.drills.judge import JUDGED, Finding, findings, unanswered
from trading_orchestrator.drills.running_system import COMMAND, RunningSystem
from trading_orchestrator.drills.venue_process import VenueProcess
from trading_orchestrator.drills.waiting import DrillFailed, wait_until

ACCOUNT = "demo"
DESK = "practice"
SYMBOL = "EUR/USDT"
SETTLE_S = 25.0
CLOSE_S = 45.0
HOST = ("cpu", "memory", "disk", "clock")
"""Parts of which an incident may be somebody else's doing: the arena has not the host to itself."""
SLOW_RATIO, ENDLESS_RATIO, BUSY_S = "0.005", "0.02", 1.1  # busy for less than hang_kill_s, so that the node lives
OPERATIONS = f"""
[perpetual_operations.history]
flush_s = 1.0
[[trading.desk.practice.strategies]]
name = "dizzy"
class = "trading_orchestrator.drills.dizzy:Dizzy"
params = {{ symbol = "{SYMBOL}", slow_ratio = "{SLOW_RATIO}", endless_ratio = "{ENDLESS_RATIO}", busy_s = {BUSY_S} }}
"""
"""The strategy with two mistakes sleeps until the market is wild."""


@dataclass
class Arena:
    """What a drill may break, and what the judge may read. One thread."""

    venue: VenueProcess
    system: RunningSystem

    def trader(self) -> tuple[int, str]:
        """Return (pid, node) of the trader, once a standby is ready too."""
        return self.system.wait_trading()

    def other(self) -> tuple[int, str]:
        """Return (pid, node) of the living node that does not trade."""
        trader, _ = self.trader()
        return next((pid, name) for pid, name in self.system.nodes() if pid != trader)

    def facts(self, after_pos: int) -> Sequence[JournalFact]:
        return read_journal(self.system.journal, after_pos)

    def wait_fact(
        self, wanted: Callable[[JournalFact], bool], after_pos: int, within_s: float, what: str
    ) -> JournalFact:
        """Return the first fact after a place that is wanted.

        Raises:
            DrillFailed: it never came.
        """
        seen = after_pos

        def look() -> JournalFact | None:
            nonlocal seen
            for fact in self.facts(seen):
                seen = fact.pos
                if wanted(fact):
                    return fact
            return None

        return wait_until(look, within_s=within_s, what=what, every_s=0.05)

    def operator(self, *words: str) -> None:
        """Give a command as a person would.

        Raises:
            DrillFailed: it was refused.
        """
        command = [
            str(COMMAND),
            *words,
            "--by",
            "drill",
            "--reason",
            "a drill",
            "--data-dir",
            str(self.system.data_dir),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, start_new_session=True)
        if done.returncode:
            raise DrillFailed(f"{' '.join(words)}: {done.stderr.strip()}")

    def judge(self) -> Sequence[Finding]:
        """Return what is wrong now; trading stops for it, and goes on afterwards."""
        self.operator("desk", "halt", DESK)
        try:
            wait_until(lambda: not self._findings(), within_s=SETTLE_S, what="journal and venue to agree", every_s=0.25)
            return []
        except DrillFailed:
            return self._findings()
        finally:
            self.operator("desk", "resume", DESK)

    def _findings(self) -> list[Finding]:
        evidence = Evidence(self.venue.log(), read_journal(self.system.journal, bodies_of=JUDGED))
        return [*findings(evidence), *unanswered(evidence)]

    def wait_closed(self, after_pos: int) -> None:
        """Return when every incident that was opened after a place is over, but for those of the host.

        Raises:
            DrillFailed: one is not; the sentence names them.
        """
        try:
            wait_until(lambda: not self._open(after_pos), within_s=CLOSE_S, what="no open incident", every_s=0.25)
        except DrillFailed as error:
            raise DrillFailed(f"{error.message}, was {', '.join(self._open(after_pos))}") from None

    def _open(self, after_pos: int) -> list[str]:
        """Return the classes of the incidents that were opened after a place and are not over."""
        known = [fact for fact in self.facts(after_pos) if fact.kind.startswith("incident.")]
        over = {fact.body["incident_id"] for fact in known if fact.kind in ("incident.resolved", "incident.merged")}
        return [
            str(fact.body["failure"])
            for fact in known
            if fact.kind == "incident.opened" and not {fact.body["incident_id"], fact.body["part"]} & {*over, *HOST}
        ]


@contextmanager
def arena(folder: Path, *, orders_per_s: float, more: str = "") -> Iterator[Arena]:
    """Start venue and system; both end with the block, whatever happened to them in between.

    Args:
        folder: empty; journal, logs and the venue's own log stay in it.
        orders_per_s: what the drill's strategy asks for.
        more: appended to the system's config.
    """
    venue = VenueProcess.start_new(folder / "venue", speed="60")
    system = RunningSystem(folder, venue, every_s=1.0 / orders_per_s, resumes=True, more=OPERATIONS + more)
    try:
        system.start()
        place = Arena(venue, system)
        place.trader()
        yield place
    finally:
        if system.is_running():
            system.stop(within_s=20)
        venue.stop()
