"""How facts about what a desk may do change it: arming, the day's loss, a position explained by an operator."""

from __future__ import annotations

from msgspec.structs import replace

from trading_orchestrator.kernel.money import plain
from trading_orchestrator.trading import permit_facts as p
from trading_orchestrator.trading.desk_facts import Body
from trading_orchestrator.trading.folded import Desk, Fold
from trading_orchestrator.trading.positions.position import adjust_position
from trading_orchestrator.trading.state import DayLoss, Permit


def _desk_armed(desk: Desk, body: p.DeskArmed, at_ns: int) -> None:
    desk.state.permit = Permit(armed=True, live=body.live, account=body.account, by=body.by, reason=body.reason)


def _desk_disarmed(desk: Desk, body: p.DeskDisarmed, at_ns: int) -> None:
    desk.state.permit = Permit(armed=False, by=body.by, reason=body.reason)


def _key_rights_doubted(desk: Desk, body: p.KeyRightsDoubted, at_ns: int) -> None:
    desk.state.key_doubt = body.reason


def _key_rights_told(desk: Desk, body: p.KeyRightsTold, at_ns: int) -> None:
    desk.state.key_doubt = ""


def _trading_day_began(desk: Desk, body: p.TradingDayBegan, at_ns: int) -> None:
    desk.state.day_loss = DayLoss(day=body.day, profit_before=body.profit)


def _loss_limit_reached(desk: Desk, body: p.LossLimitReached, at_ns: int) -> None:
    text = f"the day's loss of {plain(body.loss)} {body.asset} is at its limit of {plain(body.limit)}"
    desk.state.day_loss = replace(desk.state.day_loss, reached=text, reached_ns=at_ns)


def _loss_limit_lifted(desk: Desk, body: p.LossLimitLifted, at_ns: int) -> None:
    desk.state.day_loss = DayLoss()


def _position_adjusted(desk: Desk, body: p.PositionAdjusted, at_ns: int) -> None:
    desk.positioned(adjust_position(desk.state.position(body.symbol), body.qty, body.px))


def _request_declined(desk: Desk, body: p.RequestDeclined, at_ns: int) -> None:
    """It is for whoever asked; that the request is answered shows by its place (`Book.request_pos`)."""


FOLDS_OF_PERMITS: dict[type[Body], Fold] = {
    p.DeskArmed: _desk_armed,
    p.DeskDisarmed: _desk_disarmed,
    p.KeyRightsDoubted: _key_rights_doubted,
    p.KeyRightsTold: _key_rights_told,
    p.TradingDayBegan: _trading_day_began,
    p.LossLimitReached: _loss_limit_reached,
    p.LossLimitLifted: _loss_limit_lifted,
    p.PositionAdjusted: _position_adjusted,
    p.RequestDeclined: _request_declined,
}
