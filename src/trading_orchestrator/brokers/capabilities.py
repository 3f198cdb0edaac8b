"""What some brokers can do beyond the port, found through wrappers too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from trading_orchestrator.brokers.budget import RequestBudget
from trading_orchestrator.brokers.port import Broker


@runtime_checkable
class Budgeted(Protocol):
    """Its requests pass a budget: `budget.state` tells what is used and left."""

    @property
    def budget(self) -> RequestBudget: ...


@runtime_checkable
class CountsDown(Protocol):
    """Its venue can cancel everything by itself when nobody refreshes a countdown: the only host may die."""

    @property
    def countdown_s(self) -> float:
        """Return how long the venue shall wait; 0: it offers none, or the config wants none."""
        ...

    async def cancel_all_after(self, seconds: float) -> None:
        """Start the countdown anew, or end it with 0. It cancels every order of the account, a human's too.

        Raises: as `Broker` says.
        """
        ...


def budget_of(broker: Broker) -> RequestBudget | None:
    """Return the budget of the broker, or of the one that it wraps as `inner`."""
    return next((each.budget for each in _layers(broker) if isinstance(each, Budgeted)), None)


def countdown_of(broker: Broker) -> CountsDown | None:
    """Return the broker, or the one that it wraps, whose venue offers a countdown."""
    return next((each for each in _layers(broker) if isinstance(each, CountsDown) and each.countdown_s), None)


def _layers(broker: Broker) -> Iterator[object]:
    layer: object = broker
    while layer is not None:
        yield layer
        layer = getattr(layer, "inner", None)
