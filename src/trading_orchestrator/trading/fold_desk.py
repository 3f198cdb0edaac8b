"""How facts about the account and the desk itself change a desk: opening, adjustments, blocks, modes, the latch."""

from __future__ import annotations

from trading_orchestrator.errors import Broken
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.folded import Desk, Fold
from trading_orchestrator.trading.positions.balances import with_changes
from trading_orchestrator.trading.state import Disabled, Reconciled


def _account_opened(desk: Desk, body: f.AccountOpened, at_ns: int) -> None:
    if desk.state.opened:
        raise Broken(f"account {body.account} was opened already: its sums start there", account=body.account)
    desk.state.opened, desk.state.opened_ns = True, at_ns
    desk.state.balances = with_changes(body.balances, desk.state.balances)
    desk.state.cursors = {**body.trade_cursor, **desk.state.cursors}
    desk.state.opening_ns = body.trade_cursor_ns


def _cursor_advanced(desk: Desk, body: f.CursorAdvanced, at_ns: int) -> None:
    desk.state.cursors = {**desk.state.cursors, body.symbol: body.trade_id}
    desk.state.cursors_ns = {**desk.state.cursors_ns, body.symbol: body.trade_ns or at_ns}


def _account_adjusted(desk: Desk, body: f.AccountAdjusted, at_ns: int) -> None:
    desk.state.balances = with_changes(desk.state.balances, {body.asset: body.qty})
    desk.state.explain_anew()


def _symbol_blocked(desk: Desk, body: f.SymbolBlocked, at_ns: int) -> None:
    desk.state.blocked = {**desk.state.blocked, body.symbol: body.code}


def _symbol_released(desk: Desk, body: f.SymbolReleased, at_ns: int) -> None:
    """An operator's release stands for the orders in quarantine, too: he looked at them; the desk's own does not."""
    desk.state.blocked = {symbol: code for symbol, code in desk.state.blocked.items() if symbol != body.symbol}
    if body.request_pos:
        quarantined = [order.cl_ord_id for order in desk.shelf.quarantined()]
        looked_at = [order.cl_ord_id for order in desk.shelf.quarantined() if order.symbol == body.symbol]
        kept = [each for each in desk.state.looked_at if each in quarantined and each not in looked_at]
        desk.state.looked_at = [*kept, *looked_at]


def _strategy_blamed(desk: Desk, body: f.StrategyBlamed, at_ns: int) -> None:
    desk.state.blamed = {**desk.state.blamed, body.strategy: body.times}


def _strategy_restarted(desk: Desk, body: f.StrategyRestarted, at_ns: int) -> None:
    """It is for people: what a strategy knows is what it saved."""


def _strategy_disabled(desk: Desk, body: f.StrategyDisabled, at_ns: int) -> None:
    desk.state.disabled = {**desk.state.disabled, body.strategy: Disabled(failure=body.failure, reason=body.reason)}


def _projections_rebuilt(desk: Desk, body: f.ProjectionsRebuilt, at_ns: int) -> None:
    """Rows are no part of what a desk knows."""


def _strategy_saved(desk: Desk, body: f.StrategySaved, at_ns: int) -> None:
    desk.state.strategy_states[body.strategy] = body.state.copy()


def _desk_reconciled(desk: Desk, body: f.DeskReconciled, at_ns: int) -> None:
    desk.state.reconciled = Reconciled(
        green=body.green, at_ns=at_ns, unknown=body.unknown, differences=body.differences
    )
    if body.unexplained is not None and body.unexplained != desk.state.unexplained:
        desk.state.unexplained, desk.state.unexplained_ns = body.unexplained, at_ns
        desk.state.unexplained_seq = desk.state.seq + 1


def _desk_mode_changed(desk: Desk, body: f.DeskModeChanged, at_ns: int) -> None:
    if body.mode != "halted" or desk.state.mode == "halted":
        desk.state.mode_before_refusal = ""  # who decides meanwhile decides for afterwards
    desk.state.mode = body.mode
    desk.state.mode_reason = f"{body.by}: {body.reason}"
    if body.mode == "normal" and body.by != "desk":  # a desk that goes on by itself has looked at no strategy
        desk.state.blamed = {}
        desk.state.disabled = {}


def _desk_goes_on_after(desk: Desk, body: f.DeskFoundBehind | f.DeskNumbersSkipped, at_ns: int) -> None:
    intents = desk.state.intents
    desk.state.intents = intents | {name: max(number, intents.get(name, 0)) for name, number in body.intents.items()}


def _desk_key_refused(desk: Desk, body: f.DeskKeyRefused, at_ns: int) -> None:
    """The desk stops by the change of mode beside it."""
    desk.state.key_is_refused = body.questions
    if desk.state.mode != "halted":
        desk.state.mode_before_refusal = desk.state.mode


def _desk_key_accepted(desk: Desk, body: f.DeskKeyAccepted, at_ns: int) -> None:
    desk.state.key_is_refused = False


def _desk_killed(desk: Desk, body: f.DeskKilled, at_ns: int) -> None:
    desk.state.killed = f"{body.by}: {body.reason}"
    desk.state.kill_verified = False


def _desk_kill_verified(desk: Desk, body: f.DeskKillVerified, at_ns: int) -> None:
    desk.state.kill_verified = True


def _desk_kill_lifted(desk: Desk, body: f.DeskKillLifted, at_ns: int) -> None:
    desk.state.killed = ""
    desk.state.kill_verified = False


FOLDS_OF_DESK: dict[type[f.Body], Fold] = {
    f.AccountOpened: _account_opened,
    f.CursorAdvanced: _cursor_advanced,
    f.AccountAdjusted: _account_adjusted,
    f.SymbolBlocked: _symbol_blocked,
    f.SymbolReleased: _symbol_released,
    f.StrategyBlamed: _strategy_blamed,
    f.StrategyRestarted: _strategy_restarted,
    f.StrategyDisabled: _strategy_disabled,
    f.ProjectionsRebuilt: _projections_rebuilt,
    f.StrategySaved: _strategy_saved,
    f.DeskReconciled: _desk_reconciled,
    f.DeskModeChanged: _desk_mode_changed,
    f.DeskFoundBehind: _desk_goes_on_after,
    f.DeskNumbersSkipped: _desk_goes_on_after,
    f.DeskKeyRefused: _desk_key_refused,
    f.DeskKeyAccepted: _desk_key_accepted,
    f.DeskKilled: _desk_killed,
    f.DeskKillVerified: _desk_kill_verified,
    f.DeskKillLifted: _desk_kill_lifted,
}
