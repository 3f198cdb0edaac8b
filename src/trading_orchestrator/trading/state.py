"""What a desk's facts add up to, as plain data: the part of a Book that a snapshot stores."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.trading.orders.ledger import KnownTrade
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.positions.position import Position

RECENT_TRADES = 2_000
RECENT_INTENTS_NS = 1_000_000_000
RECENT_INTENTS = 10_000
VENUE_CLOCK_OFF_NS = 1_000_000_000
"""How far a trade's venue time may be off our clock; a start refuses half of it."""


class Counts(msgspec.Struct, omit_defaults=True):
    """What happened so far, for the summary of the desk."""

    orders: int = 0
    denied: int = 0
    refused: int = 0
    doubted: int = 0
    trades: int = 0
    inferred: int = 0
    busted: int = 0
    flagged: int = 0


class Reconciled(msgspec.Struct, frozen=True):
    """The last reconciliation."""

    green: bool
    at_ns: int
    unknown: int
    differences: list[str]


class Permit(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether a named person lets orders leave, for which account; `live`: said while real money was at stake."""

    armed: bool = True
    live: bool = False
    account: str = ""
    by: str = ""
    reason: str = ""


class DayLoss(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the day's loss counts from, and whether it is at its limit. `day` "": no day was counted yet."""

    day: str = ""
    profit_before: Decimal = ZERO
    reached: str = ""
    reached_ns: int = 0


class Disabled(msgspec.Struct, frozen=True):
    """Why a strategy stays out; `failure`: its class."""

    failure: str
    reason: str


class Replacement(msgspec.Struct, frozen=True):
    """The terms on which a strategy wants an order once its cancel is proved; `order_qty` includes what traded."""

    order_qty: Decimal
    px: Decimal | None


class State(msgspec.Struct, omit_defaults=True):
    """Everything a Book must remember. `seq` is that of the last fact applied to the desk's stream."""

    desk: str
    account: str
    timeline: str
    seq: int = 0
    at_ns: int = 0
    opened: bool = False
    mode: str = "normal"
    mode_reason: str = ""
    killed: str = ""
    kill_verified: bool = False
    request_pos: int = 0
    permit: Permit = Permit()
    key_doubt: str = ""
    mode_before_refusal: str = ""
    key_is_refused: bool = False
    day_loss: DayLoss = DayLoss()
    looked_at: list[str] = []
    orders: list[Order] = []
    lingering: list[str] = []
    replacements: dict[str, Replacement] = {}
    positions: dict[str, Position] = {}
    balances: dict[str, Decimal] = {}
    strategy_states: dict[str, msgspec.Raw] = {}
    intents: dict[str, int] = {}
    intended_ns: list[int] = []
    cursors: dict[str, str] = {}
    cursors_ns: dict[str, int] = {}
    opened_ns: int = 0
    opening_ns: dict[str, int] = {}
    trades: dict[str, KnownTrade] = {}
    forgotten_ns: int = 0
    ownerless_forgotten_seq: int = 0
    blocked: dict[str, str] = {}
    blamed: dict[str, int] = {}
    disabled: dict[str, Disabled] = {}
    counts: Counts = msgspec.field(default_factory=Counts)
    reconciled: Reconciled | None = None
    unexplained: dict[str, Decimal] = {}
    unexplained_ns: int = 0
    unexplained_seq: int = 0

    @property
    def mode_in_force(self) -> str:
        """Return the mode by which orders are judged: the latch stands above the rest, a limit below an operator."""
        if self.killed:
            return "killed"
        if not self.permit.armed or self.key_doubt:
            return "unarmed"
        return "reduce_only" if self.mode == "normal" and self.day_loss.reached else self.mode

    @property
    def reason_in_force(self) -> str:
        """Return why the desk is in that mode: who said so and why."""
        if self.killed:
            return self.killed
        if not self.permit.armed:
            return f"{self.permit.by}: {self.permit.reason}"
        if self.key_doubt:
            return f"desk: {self.key_doubt}"
        return self.day_loss.reached if self.mode == "normal" and self.day_loss.reached else self.mode_reason

    def trade_key(self, symbol: str, trade_id: str) -> str:
        """Return the key a trade is booked by; the configured account stands for the venue too."""
        return f"{self.account}/{symbol}/{trade_id}"

    def remember_trade(self, key: str, known: KnownTrade) -> None:
        """Keep the newest `RECENT_TRADES` keys, and until when a key, or a trade of nobody, may have been forgotten."""
        self.trades[key] = known
        while len(self.trades) > RECENT_TRADES:
            forgotten = self.trades.pop(next(iter(self.trades)))
            self.forgotten_ns = max(self.forgotten_ns, forgotten.at_ns)
            if not forgotten.owned and not forgotten.busted:
                self.ownerless_forgotten_seq = max(self.ownerless_forgotten_seq, forgotten.seq)

    def explain_anew(self) -> None:
        """Forget the settled difference: what just moved our sums may be a part of it, so two new looks decide."""
        self.unexplained, self.unexplained_ns, self.unexplained_seq = {}, 0, 0

    def position(self, symbol: str) -> Position:
        """Return the position; flat when nothing traded yet."""
        return self.positions.get(symbol) or Position(symbol)

    def realized(self) -> dict[str, Decimal]:
        """Return realized profit before fees, by quote asset."""
        total: dict[str, Decimal] = {}
        for position in self.positions.values():
            quote = position.symbol.partition(":")[0].partition("/")[2]
            total[quote] = total.get(quote, ZERO) + position.realized
        return total

    def fees(self) -> dict[str, Decimal]:
        """Return fees paid, by asset."""
        total: dict[str, Decimal] = {}
        for position in self.positions.values():
            for asset, fee in position.fees.items():
                total[asset] = total.get(asset, ZERO) + fee
        return total
