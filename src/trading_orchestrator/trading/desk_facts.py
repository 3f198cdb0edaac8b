"""The facts about a desk and its account as a whole, and what every fact's body is."""

from __future__ import annotations

from decimal import Decimal

import msgspec


class Body(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The body of one fact; unknown fields of a newer release are ignored when read.

    `at_ns` is the desk's wall clock when it recorded the fact (`Book.record` stamps it). The journal's own
    time is that of the commit and not yet known when the projection rows are made, so rows use this one.
    """

    at_ns: int = 0


class AccountOpened(Body, frozen=True):
    """The first reconciliation of an account: sums of balances and positions start here (asset → total).

    `trade_cursor`, `trade_cursor_ns`: by symbol, id and venue time of the newest trade that the balances hold.
    """

    account: str
    balances: dict[str, Decimal]
    trade_cursor: dict[str, str]
    trade_cursor_ns: dict[str, int] = {}


class AccountAdjusted(Body, frozen=True):
    """A named operator explained a difference: a deposit, a withdrawal, a transfer. No trade is invented for it."""

    asset: str
    qty: Decimal
    by: str
    reason: str
    request_pos: int = 0


class SymbolBlocked(Body, frozen=True):
    """Only orders that reduce on this symbol until it is released; cancels and evidence go on."""

    symbol: str
    code: str
    text: str


class SymbolReleased(Body, frozen=True):
    """A named operator lifted the block, or the desk itself, when what it was for is explained."""

    symbol: str
    by: str
    reason: str
    request_pos: int = 0


class StrategyBlamed(Body, frozen=True):
    """A node was ended because this strategy kept its loop; from `BLAMED_MOST` on it stays out and a human is paged."""

    strategy: str
    times: int


class StrategyRestarted(Body, frozen=True):
    """The strategy began anew from its saved state while its desk went on, and why."""

    strategy: str
    reason: str


class StrategyDisabled(Body, frozen=True):
    """Nothing helped: it stays out, over takeovers, until a human says "normal". `failure`: its class."""

    strategy: str
    failure: str
    reason: str


class ProjectionsRebuilt(Body, frozen=True):
    """So many projection rows were written back from the facts before this one; nothing else changed."""

    rows: int


class StrategySaved(Body, frozen=True):
    """A strategy's typed state as it was when the decisions of the same commit were made."""

    strategy: str
    state: msgspec.Raw


class DeskReconciled(Body, frozen=True):
    """Reconciliation with the venue ended: what was compared, what differed, and whether it is green.

    `unexplained`: by asset, what the venue holds beyond the sum of our trades by two looks; None: nobody looked twice.
    """

    trigger: str
    green: bool
    orders_checked: int
    trades_booked: int
    unknown: int
    differences: list[str]
    took_ms: float
    unexplained: dict[str, Decimal] | None = None


class DeskModeChanged(Body, frozen=True):
    """The desk's mode: normal, reduce_only, halted or draining; who asked, why, and where in the journal."""

    mode: str
    by: str
    reason: str
    request_pos: int = 0


class DeskFoundBehind(Body, frozen=True):
    """The venue knows orders that this journal would have sent next: it was restored. The desk may only reduce.

    `intents`: for each strategy the number after which its intents go on, so that no id is used twice.
    """

    orders: int
    intents: dict[str, int]


class DeskNumbersSkipped(Body, frozen=True):
    """Nobody could tell at a start whether the venue knows the next ids, so they are left out.

    `intents`: for each strategy the number after which its intents go on, so that no id is used twice.
    """

    intents: dict[str, int]


class DeskKeyRefused(Body, frozen=True):
    """The venue refuses the account's key: the desk is halted by the same commit, a human is paged.

    `questions`: it refuses questions too, so that an answer to one shows when it accepts the key again. A key that lost
    the right to trade alone is told nothing by an answer.
    """

    venue_code: str
    text: str
    questions: bool = False


class DeskKeyAccepted(Body, frozen=True):
    """The venue answers questions signed with the key again."""


class DeskKilled(Body, frozen=True):
    """The kill switch is on, a latch: no order leaves and all of ours are canceled, restarts and takeovers included."""

    by: str
    reason: str
    request_pos: int = 0


class DeskKillVerified(Body, frozen=True):
    """Since the kill switch went on, this many looks at the venue in a row found nothing of ours open."""

    looks: int


class DeskKillLifted(Body, frozen=True):
    """A named operator lifted the kill switch."""

    by: str
    reason: str
    request_pos: int = 0
