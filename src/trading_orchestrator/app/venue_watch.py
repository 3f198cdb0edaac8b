"""VenueWatch: one part for each account at a venue, however many desks trade on it: one outage, one incident."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from trading_orchestrator.app.venue_pulse import VenuePulse
from trading_orchestrator.brokers.stream_watch import StreamState
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.health.health_checker import AtOnce
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.trading.desk import Desk

STANDING_BY = Health(HealthState.HEALTHY, "standing by", elsewhere=True)


@dataclass(frozen=True)
class Ear:
    """What one desk hears of the venue. `stream`: how the stream of its orders is."""

    desk: Desk
    pulse: VenuePulse
    stream: Callable[[], StreamState]

    def health(self) -> Health:
        """Return how the venue is for this desk; one that stands by asks nothing, and blames nobody."""
        self.pulse.stream_is(self.stream())
        return self.pulse.health() if self.desk.acts or self.desk.is_held_up else STANDING_BY


class VenueWatch:
    """Watches each account as `broker/ACCOUNT`. It never makes the console unready: who looks needs it most."""

    def __init__(self, manager: PerpetualOperationsManager) -> None:
        self._manager = manager
        self._ears: dict[str, list[Ear]] = {}

    def watch(self, account: str, desk: Desk, pulse: VenuePulse, stream: Callable[[], StreamState]) -> str:
        """Listen to one more desk, and return the name of the part that its venue is."""
        part = f"broker/{account}"
        ears = self._ears.setdefault(part, [])
        ears.append(Ear(desk, pulse, stream))
        if len(ears) == 1:
            self._manager.add_probe(part, AtOnce(partial(self._health, part)), for_readiness=False)
        return part

    def _health(self, part: str) -> Health:
        """The first desk that cannot reach it speaks for all."""
        heard = [(ear.desk.name, ear.health()) for ear in self._ears[part]]
        for desk, health in heard:
            if health.state is not HealthState.HEALTHY:
                said = health.reason if len(heard) == 1 else f"{health.reason} (desk {desk})"
                return Health(health.state, said, health.failure)
        return next((health for _, health in heard if health is not STANDING_BY), STANDING_BY)
