"""I1, I2, I3, I4 and I11 of a whole desk: any order of quotes, faults, crashes and take-overs on a virtual clock."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.desk.world import SYMBOL, Node, World
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.orders.client_id import is_ours

FIDGET = {
    "name": "s",
    "class": "trading_orchestrator.simulation.fidget:Fidget",
    "params": {"symbol": SYMBOL, "every_s": 0.05, "stale_timers": 20},
}
PATIENCE = {"ask_longest_s": 1.0, "compare_s": 1.0, "quarantine_s": 5.0}
COMMIT_S, BETWEEN_S = 0.02, 0.25
DRAINED_AFTER_S = 8.0
"""No quotes for a second and everything is canceled; then a proof of absence, twice; and some room."""
OF_ORDERS = (Effect.NO_ANSWER, Effect.LOST, Effect.LATE, Effect.NOT_SENT, Effect.REFUSED)
OF_CANCELS = (Effect.NO_ANSWER, Effect.LOST, Effect.NOT_SENT, Effect.HOLLOW)
OF_QUESTIONS = (Effect.NO_ANSWER, Effect.LOST, Effect.NOT_SENT)
OF_REPORTS = (Effect.DROPPED, Effect.TWICE, Effect.SWAPPED)
OPEN = ("pending_new", "new", "partially_filled", "unknown", "quarantined")
DOUBTFUL = ("pending_new", "unknown", "quarantined")


class DeskAndVenue(RuleBasedStateMachine):
    """A desk with a strategy that never rests, the venue it trades on, and whatever comes between."""

    def __init__(self) -> None:
        super().__init__()
        logging.disable(logging.CRITICAL)
        self._folder = tempfile.TemporaryDirectory(dir=memory_disk())
        self._loop = asyncio.new_event_loop()
        self.world = self._run(World.open(Path(self._folder.name)))
        self.node: Node | None = None
        self.bid = 11_000

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        self.take_over(Succession.FIRST)
        self.quote(0, 1000)

    def take_over(self, succession: Succession) -> None:
        self.node = self.world.node("Buyer", strategies=[FIDGET], **PATIENCE)
        self.node.store.append_takes_s = COMMIT_S
        self._run(self.world.start(self.node, succession))

    # -- what may happen

    @rule(ticks=st.integers(-4, 4), qty=st.sampled_from((1, 10, 1000)))
    def quote(self, ticks: int, qty: int) -> None:
        self.bid += ticks
        self._run(self.world.quote(f"{Decimal(self.bid) / 10_000}", qty=qty))
        self._run(self.world.run(BETWEEN_S))

    @rule(effect=st.sampled_from(OF_ORDERS), times=st.integers(1, 3))
    def orders_go_wrong(self, effect: Effect, times: int) -> None:
        self._strike("submit", effect, times)

    @rule(effect=st.sampled_from(OF_CANCELS), times=st.integers(1, 3))
    def cancels_go_wrong(self, effect: Effect, times: int) -> None:
        self._strike("cancel", effect, times)

    @rule(effect=st.sampled_from(OF_QUESTIONS), times=st.integers(1, 5))
    def questions_go_wrong(self, effect: Effect, times: int) -> None:
        self._strike("order", effect, times)

    @rule(effect=st.sampled_from(OF_REPORTS), times=st.integers(1, 5))
    def reports_go_wrong(self, effect: Effect, times: int) -> None:
        self._strike("report", effect, times)

    @rule(times=st.integers(1, 3), effect=st.sampled_from((Effect.NO_ANSWER, Effect.LATE)))
    def nobody_hears_of_some_orders(self, times: int, effect: Effect) -> None:
        self.world.fault("report", Effect.DROPPED, times=3 * times)
        self._strike("submit", effect, times)

    def _strike(self, on: str, effect: Effect, times: int) -> None:
        self.world.fault(on, effect, times=times, delay_s=0.5)
        self.quote(times - 2, 10)

    @precondition(lambda self: self.node is not None)
    @rule()
    def the_node_dies(self) -> None:
        assert self.node is not None
        self.node.crash()
        self.node = None

    @precondition(lambda self: self.node is None)
    @rule()
    def another_takes_over(self) -> None:
        self.world.faults.clear()  # a start that cannot ask waits for a venue that answers
        self.take_over(Succession.PROVED_DEATH)

    # -- what must hold

    @invariant()
    def no_order_leaves_twice_or_before_its_intent(self) -> None:
        """I1, I2."""
        sent = [cl_ord_id for cl_ord_id, _ in self.world.submits]
        assert [] == [each for each in set(sent) if sent.count(each) > 1]
        assert [] == [cl_ord_id for cl_ord_id, is_durable in self.world.submits if not is_durable]

    @invariant()
    def an_intent_has_one_order_and_a_trade_one_booking(self) -> None:
        """I1, I3."""
        intended = [(each.intent_id, each.generation) for each in self._facts("order.intended")]
        booked = [each.trade.trade_id for each in self._facts("trade.booked")]
        assert (len(set(intended)), len(set(booked))) == (len(intended), len(booked))

    @invariant()
    def what_lives_at_the_venue_is_not_over_here(self) -> None:
        """I4."""
        states = {row["cl_ord_id"]: row["state"] for row in self._run(self.world.rows("orders"))}
        live = [each.cl_ord_id for each in self.world.venue.open_orders([SYMBOL]) if is_ours(each.cl_ord_id)]
        assert [] == [name for name in live if states.get(name) not in OPEN]

    @invariant()
    def nothing_is_given_up_that_the_venue_has(self) -> None:
        """I4: neither refused nor proved absent, also when it came later."""
        over = [*self._facts("order.abandoned"), *self._facts("order.refused")]
        assert [] == [each.cl_ord_id for each in over if self.world.venue.known(each.cl_ord_id) is not None]

    def _facts(self, kind: str) -> list[Any]:
        found: list[Any] = self._run(self.world.facts(kind))
        return found

    def teardown(self) -> None:
        """I11: the venue heals, and no doubt outlives it by more than a bounded time; I3: nothing is missing."""
        try:
            self.world.faults.clear()
            if self.node is None:
                self.take_over(Succession.PROVED_DEATH)
            self._run(self.world.run(DRAINED_AFTER_S))

            states = self._run(self.world.order_states())
            assert [] == [state for state in states if state in DOUBTFUL]
            booked = {each.trade.trade_id for each in self._facts("trade.booked")}
            assert {trade.trade_id for trade in self.world.venue.trades(SYMBOL)} == booked
            assert self.world.venue_position_qty() == self._run(self.world.position_qty())
        finally:
            self._run(self._end())
            self._loop.close()
            self._folder.cleanup()
            logging.disable(logging.NOTSET)

    async def _end(self) -> None:
        """Take the world apart; what a dead node still waits for never comes."""
        await self.world.__aexit__()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def memory_disk() -> Path | None:
    """A journal in a play needs no disk."""
    found = Path("/dev/shm")
    return found if found.is_dir() else None


TestDeskAndVenue = DeskAndVenue.TestCase
TestDeskAndVenue.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
