"""Two thresholds against flapping: how often a part must read worse, or better, before it counts."""

from __future__ import annotations

from dataclasses import dataclass

from trading_orchestrator.kernel.component import Health, HealthState

_SEVERITY = {
    HealthState.HEALTHY: 0,
    HealthState.STARTING: 0,
    HealthState.DEGRADED: 1,
    HealthState.UNHEALTHY: 2,
    HealthState.UNKNOWN: 2,
    HealthState.STOPPED: 2,
}


STARTING = Health(HealthState.STARTING, "not known yet")


@dataclass
class Steadying:
    """What one part counts as. A first good reading counts at once; until bad ones are enough, it is starting.

    Args:
        fall: readings in a row that are worse before the part counts as worse.
        rise: readings in a row that are better before it counts as better.
    """

    fall: int
    rise: int
    held: Health = STARTING
    against: int = 0

    def hear(self, reading: Health) -> Health:
        """Return what the part counts as after this reading."""
        held = self.held
        if _SEVERITY[reading.state] == _SEVERITY[held.state]:
            self.against = 0
            self.held = reading
            return reading
        worse = _SEVERITY[reading.state] > _SEVERITY[held.state]
        same_way = (self.against < 0) == worse
        self.against = (self.against if same_way else 0) + (-1 if worse else 1)
        if abs(self.against) < (self.fall if worse else self.rise):
            return held
        self.against = 0
        self.held = reading
        return reading
