"""The facts about what a desk may do beside its mode: arming, the day's loss, what operators explain or are denied."""

from __future__ import annotations

from decimal import Decimal

from trading_orchestrator.trading.desk_facts import Body


class DeskArmed(Body, frozen=True):
    """Orders may leave for this account. `live`: real money was at stake when it was said; practice arms only practice.

    By a named operator, or by "desk" when the config says that the broker is a practice venue.
    """

    account: str
    live: bool
    by: str
    reason: str
    request_pos: int = 0


class DeskDisarmed(Body, frozen=True):
    """No order leaves until a named operator arms the desk; cancels, evidence and reconciliation go on."""

    by: str
    reason: str
    request_pos: int = 0


class KeyRightsDoubted(Body, frozen=True):
    """The venue has not told that the key cannot withdraw, or told that it can: no order for real money leaves."""

    reason: str


class KeyRightsTold(Body, frozen=True):
    """The key cannot withdraw, or its venue cannot be asked: orders may leave again, as far as the permit goes."""


class TradingDayBegan(Body, frozen=True):
    """The day's loss counts from here. `profit`: all that the desk had earned then, in the quote asset, after fees."""

    day: str
    asset: str
    profit: Decimal


class LossLimitReached(Body, frozen=True):
    """The day's loss, realized and unrealized, is at its limit: only orders that reduce, until a new day or a human."""

    day: str
    asset: str
    loss: Decimal
    limit: Decimal


class LossLimitLifted(Body, frozen=True):
    """A new day began ("desk"), or a named operator lets the desk trade on; the loss counts anew from the next look."""

    by: str
    reason: str
    request_pos: int = 0


class PositionAdjusted(Body, frozen=True):
    """A named operator explained a position: `qty` came in (or left) at `px`, by no trade. Balances are told apart."""

    symbol: str
    qty: Decimal
    px: Decimal
    by: str
    reason: str
    request_pos: int = 0


class RequestDeclined(Body, frozen=True):
    """The desk does not follow an operator's request, and why; nothing changed."""

    text: str
    by: str
    request_pos: int


PERMIT_KINDS: dict[str, type[Body]] = {
    "desk.armed": DeskArmed,
    "desk.disarmed": DeskDisarmed,
    "key_rights.doubted": KeyRightsDoubted,
    "key_rights.told": KeyRightsTold,
    "trading_day.began": TradingDayBegan,
    "loss_limit.reached": LossLimitReached,
    "loss_limit.lifted": LossLimitLifted,
    "position.adjusted": PositionAdjusted,
    "request.declined": RequestDeclined,
}
