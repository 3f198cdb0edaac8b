"""One desk's outside: a venue with one account on it, its market, the network before it, a human, and the judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from trading_orchestrator.brokers.budget import BudgetConfig
from trading_orchestrator.brokers.simulated.venue import SimulatedVenue
from trading_orchestrator.kernel.config import build
from trading_orchestrator.market.port import Instrument
from trading_orchestrator.simulation.chance import Chance
from trading_orchestrator.simulation.clocks import TrueClock
from trading_orchestrator.simulation.coverage import Coverage
from trading_orchestrator.simulation.event_loop import VirtualLoop
from trading_orchestrator.simulation.faults import Rates
from trading_orchestrator.simulation.human import Human
from trading_orchestrator.simulation.journal_reader import JournalReader
from trading_orchestrator.simulation.judge import Judge, Terms, Violation
from trading_orchestrator.simulation.market_wire import LEAST_BID_PX, Market
from trading_orchestrator.simulation.onlooker import SLEEPER, Onlooker
from trading_orchestrator.simulation.wire import Network
from trading_orchestrator.trading.config import DeskConfig

SYMBOL = "EUR/USDT"
MAX_POSITION_QTY = Decimal(60)
GRACE_S = 2.0
QUARANTINE_S = 4.0
"""Longer than a proof of absence takes when all goes well, so that only the unlucky are quarantined."""
BUDGETS_PER_MIN = (900.0, 6_000.0, 6_000.0, 12_000.0)
"""One in four accounts has so little that it runs dry."""
LIVE_RATIO, LOSS_LIMIT_RATIO, MAX_DAILY_LOSS = 0.3, 0.3, Decimal("0.5")


@dataclass
class Account:
    """Everything around one desk. Its parts share one clock that is right, and one chance."""

    desk: str
    config: DeskConfig
    venue: SimulatedVenue
    network: Network
    market: Market
    human: Human
    judge: Judge
    onlooker: Onlooker
    is_live: bool
    is_disarmed: bool = False
    """A person took the permit away and does not want to give it back yet."""

    @property
    def stream(self) -> str:
        return stream_of(self.desk)


def stream_of(desk: str) -> str:
    """Return the desk's stream, which has its lease's name."""
    return f"desk/{desk}"


def open_account(
    desk: str,
    loop: VirtualLoop,
    chance: Chance,
    *,
    every_s: float,
    rates: Rates,
    path: Path,
    journal_id: str,
    coverage: Coverage,
    violations: list[Violation],
    now_s: Callable[[], float],
) -> Account:
    """Return a desk's surroundings; nothing moves yet.

    Args:
        every_s: between two decisions of the desk's strategy.
    """
    clock = TrueClock(loop, chance.fork("true clock"))
    instrument = Instrument(SYMBOL, "EUR", "USDT", Decimal("0.0001"), Decimal("0.1"))
    balances = {"EUR": Decimal(100_000), "USDT": Decimal(100_000)}
    venue = SimulatedVenue([instrument], clock=clock, balances=balances)
    kind = chance.fork("kind of venue")
    budget = BudgetConfig(weight_per_min=kind.pick(BUDGETS_PER_MIN))
    terms = Terms(desk, f"account of {desk}", SYMBOL, MAX_POSITION_QTY, GRACE_S, budget)
    reader = JournalReader(path, stream_of(desk))
    judge = Judge(terms, venue, coverage, now_s=now_s, violations=violations, reader=reader, journal_id=journal_id)
    names_orders = kind.hits(0.5)
    network = Network(
        loop, venue, clock, chance.fork("network"), judge, rates, budget=budget, names_orders=names_orders
    )
    judge.under_way = lambda: network.under_way
    market = Market(venue, SYMBOL, clock, chance.fork("market"))
    human = Human(venue, SYMBOL, chance.fork("human"), lambda: market.bid_px)
    is_live, loses_little = kind.hits(LIVE_RATIO), kind.hits(LOSS_LIMIT_RATIO)
    config = _config(terms, every_s, max_daily_loss=MAX_DAILY_LOSS if loses_little else None)
    return Account(desk, config, venue, network, market, human, judge, Onlooker(judge), is_live)


def _config(terms: Terms, every_s: float, *, max_daily_loss: Decimal | None) -> DeskConfig:
    """Return a desk with little patience and tight limits, so that minutes hold what months bring."""
    params = {"symbol": SYMBOL, "every_s": every_s}
    sleeps = {"symbol": SYMBOL, "px": str(LEAST_BID_PX / 2)}
    values = {
        "broker": terms.account,
        "symbols": [SYMBOL],
        "grace_s": terms.grace_s,
        "quarantine_s": QUARANTINE_S,
        "ask_longest_s": 2.0,
        "poll_trades_s": 1.0,
        "poll_orders_s": 1.0,
        "poll_overlap_s": 5.0,
        "snapshot_every_facts": 300,
        "compare_s": 2.0,
        "quiet_s": 0.5,
        "clock_offset_every_s": 5.0,
        "clock_offset_limit_s": 0.25,
        "emergency_cancel_after_s": 0.3,
        "risk": {
            "max_orders_per_s": 40,
            "max_open_orders": 16,
            "max_position_qty": terms.max_position_qty,
            "max_daily_loss": max_daily_loss,
        },
        "strategies": [
            {"name": "fidget", "class": "trading_orchestrator.simulation.fidget:Fidget", "params": params},
            {"name": SLEEPER, "class": "trading_orchestrator.simulation.sleeper:Sleeper", "params": sleeps},
        ],
    }
    return build(DeskConfig, values, source="simulation")
