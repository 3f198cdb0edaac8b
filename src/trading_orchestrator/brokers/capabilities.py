"""What some brokers can do beyond the port: ask `isinstance` before you rely on it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from trading_orchestrator.brokers.budget import RequestBudget


@runtime_checkable
class Budgeted(Protocol):
    """Its requests pass a budget: `budget.state` tells what is used and left."""

    @property
    def budget(self) -> RequestBudget: ...
