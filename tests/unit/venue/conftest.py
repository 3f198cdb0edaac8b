"""A whole exchange in memory: one market of XYZ/USD, two accounts, a clock that counts."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from pathlib import Path

import msgspec
import pytest

from trading_orchestrator.practice_venue.exchange import Exchange, Fees
from trading_orchestrator.practice_venue.facts import AnyFact, Fact
from trading_orchestrator.practice_venue.instrument import Instrument
from trading_orchestrator.practice_venue.ledger import Ledger, Order
from trading_orchestrator.practice_venue.market import Level, Market
from trading_orchestrator.practice_venue.order_request import OrderRequest
from trading_orchestrator.practice_venue.venue_log import VenueLog

INSTRUMENT = Instrument("XYZ", "USD", Decimal("0.01"), Decimal("0.1"))
ACCOUNTS = ("alice", "bob")
FEES = Fees(maker_ratio=Decimal("0.001"), taker_ratio=Decimal("0.002"))


class MemoryLog(VenueLog):
    """Keeps the lines in memory, encoded, so that nothing shares state with the live ledger."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))
        self.lines: list[bytes] = []

    def append(self, facts: Sequence[Fact]) -> None:
        self.lines += [msgspec.json.encode(fact) for fact in facts]

    def refolded(self) -> Ledger:
        """Return a new ledger made from the lines alone."""
        ledger = Ledger()
        for line in self.lines:
            ledger.apply(msgspec.json.decode(line, type=AnyFact))
        return ledger


class Bench:
    """An exchange with short names for what tests do to it."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.ledger = Ledger()
        self.market = Market(INSTRUMENT, update_id=1)
        clock = count(1_000)
        self.exchange = Exchange(self.ledger, self.log, [self.market], FEES, lambda: next(clock))
        for name in ACCOUNTS:
            self.exchange.open_account(name, {"XYZ": Decimal(10_000), "USD": Decimal(10_000)})

    def quotes(self, bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> None:
        """Set the replayed liquidity, best level first, and let it trade with what rests."""
        levels = {
            side: [Level(Decimal(price), Decimal(qty)) for price, qty in listed]
            for side, listed in (("BUY", bids), ("SELL", asks))
        }
        self.exchange.replay_tick(self.market, levels, price=Decimal("10.00"), qty=Decimal("0.1"), sold=False)

    def place(
        self,
        account: str,
        side: str,
        qty: str,
        price: str = "0",
        *,
        order_type: str = "",
        time_in_force: str = "GTC",
        client_order_id: str | None = None,
        quote_order_qty: str = "0",
    ) -> Order:
        request = OrderRequest(
            symbol=INSTRUMENT.symbol,
            side=side,
            type=order_type or ("LIMIT" if Decimal(price) else "MARKET"),
            time_in_force=time_in_force,
            price=Decimal(price),
            qty=Decimal(qty),
            quote_order_qty=Decimal(quote_order_qty),
            client_order_id=client_order_id,
            response_type="FULL",
            sent_ms=None,
            recv_window_ms=None,
        )
        return self.exchange.place(account, request)

    def fills(self, order: Order) -> list[tuple[str, str]]:
        """Return (price, quantity) of the order's trades."""
        return [(str(trade.price), str(trade.qty)) for trade in self.ledger.trades_of_order(order.order_id)]


@pytest.fixture
def bench() -> Bench:
    return Bench()
