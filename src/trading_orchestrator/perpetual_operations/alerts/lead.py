"""The lead: how far the clock of the alerts, which never steps, is ahead of the wall clock, which people live by."""

from __future__ import annotations

from dataclasses import dataclass

STEP_NS = 1_000_000_000  # what differs by less is no step: times that are posted again must stay as they were


@dataclass
class Lead:
    """Timers run on the alerts' own clock; silences, schedules, time intervals and what senders say, on the wall's.

    `ns`: the lead, negative where the wall clock is ahead. It changes only when the wall clock steps.
    """

    ns: int = 0

    def follow(self, own_ns: int, wall_ns: int) -> None:
        """Take in what both clocks show now."""
        if abs(own_ns - wall_ns - self.ns) >= STEP_NS:
            self.ns = own_ns - wall_ns

    def wall_ns(self, own_ns: int) -> int:
        """Return what the wall clock shows at a time of the alerts' clock."""
        return own_ns - self.ns

    def own_ns(self, wall_ns: int) -> int:
        """Return what the alerts' clock shows at a time of the wall clock."""
        return wall_ns + self.ns
