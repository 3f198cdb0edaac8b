"""What some brokers can do beyond the port, found through wrappers too.

By name and not by `isinstance`: since Python 3.12 a protocol does not see what a wrapper passes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, cast

from trading_orchestrator.brokers.budget import RequestBudget
from trading_orchestrator.brokers.port import Broker


class Budgeted(Protocol):
    """Its requests pass a budget: `budget.state` tells what is used and left."""

    @property
    def budget(self) -> RequestBudget: ...


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


class TellsKeyRights(Protocol):
    """Its venue may tell whether the account's key may withdraw."""

    @property
    def key_doubt(self) -> str:
        """Return why the key is not known to be safe, in words; "" when the venue told so, or cannot be asked."""
        ...

    async def ask_key_rights(self) -> None:
        """Ask again, and settle `key_doubt` by the answer. Raises: as `Broker` says, never for what the answer is."""
        ...


def key_rights_of(broker: Broker) -> TellsKeyRights | None:
    """Return the broker, or the one that it wraps, whose venue may tell what the key may do."""
    found = (each for each in _layers(broker) if hasattr(each, "ask_key_rights"))
    return next((cast(TellsKeyRights, each) for each in found), None)


def budget_of(broker: Broker) -> RequestBudget | None:
    """Return the budget of the broker, or of the one that it wraps as `inner`."""
    found = (getattr(each, "budget", None) for each in _layers(broker))
    return next((each for each in found if isinstance(each, RequestBudget)), None)


def countdown_of(broker: Broker) -> CountsDown | None:
    """Return the broker, or the one that it wraps, whose venue offers a countdown."""
    return next((cast(CountsDown, each) for each in _layers(broker) if getattr(each, "countdown_s", 0.0)), None)


def _layers(broker: Broker) -> Iterator[object]:
    layer: object = broker
    while layer is not None:
        yield layer
        layer = getattr(layer, "inner", None)
