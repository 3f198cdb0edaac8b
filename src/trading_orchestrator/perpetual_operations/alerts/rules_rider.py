"""The rules as a rider: their facts are written with the alerts they made, and read again after a start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trading_orchestrator.perpetual_operations.alerts.rider import Body
from trading_orchestrator.perpetual_operations.alerts.rules.config import Books
from trading_orchestrator.perpetual_operations.alerts.rules.facts import body_of
from trading_orchestrator.storage.ports import Put


class RulesRider:
    """All books. They decide when `Watching` looks, not by the time."""

    name = "rules"

    def __init__(self, books: Books) -> None:
        self.books = books

    def load(self, kind: str, body: bytes) -> None:
        fact = body_of(kind, body)
        if fact is not None:
            self.books.apply(fact)

    def advance(self, decided: Sequence[Body], now_ns: int) -> Sequence[Body]:
        return ()

    def next_due_ns(self) -> int | None:
        return None

    def rows(self, bodies: Sequence[Body]) -> Iterable[Put]:
        return ()

    def snapshot(self, now_ns: int) -> Sequence[Body]:
        return self.books.snapshot(now_ns)
