"""`desk`: what a named person asks of a desk: its mode, the kill switch, arming, releases, adjustments."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from trading_orchestrator.app import settings as hall
from trading_orchestrator.cli.asking import ask_desk, confirm
from trading_orchestrator.cli.options import ConfigOption, DataDirOption, JsonOption
from trading_orchestrator.cli.reading import ask
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.config import ConfigRefused
from trading_orchestrator.trading.find_order import find_order
from trading_orchestrator.trading.mode_requests import adjustment_requested, mode_requested
from trading_orchestrator.trading.operator_acts import (
    ArmingRequested,
    BustRequested,
    CorrectionRequested,
    PositionAdjustmentRequested,
    ReleaseRequested,
    WriteOffRequested,
    requested,
)
from trading_orchestrator.trading.orders.stored import revived_order

TAKES_NEGATIVE = {"ignore_unknown_options": True}
"""Else click takes -5 for an option."""
NameArgument = Annotated[str, typer.Argument(help="The desk.")]
ByOption = Annotated[str, typer.Option("--by", help="Who takes the decision; stands in the journal for ever.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Agree to what will happen, without being asked.")]
HELP = (
    "What a named person asks of a desk: modes, the kill switch, arming, corrections.\n\n"
    "Each request is a fact with name and reason; the desk follows it at once, or, while nobody holds it, before "
    "anything else at its next start."
)


def build() -> typer.Typer:
    """Return the sub-commands."""
    app = typer.Typer(help=HELP, no_args_is_help=True)
    for name, command in (
        *(("halt", halt), ("drain", drain), ("reduce", reduce), ("resume", resume), ("kill", kill)),
        *(("arm", arm), ("disarm", disarm), ("release", release), ("write-off", write_off)),
    ):
        app.command(name)(command)
    app.command("bust")(bust)
    app.command("correct")(correct)
    app.command("adjust", context_settings=TAKES_NEGATIVE)(adjust)
    app.command("adjust-position", context_settings=TAKES_NEGATIVE)(adjust_position)
    return app


def halt(
    name: NameArgument,
    by: ByOption,
    reason: ReasonOption,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send no new order; what rests stays, and may be canceled."""
    _mode(name, "halted", by, reason, config, data_dir, as_json)


def drain(
    name: NameArgument,
    by: ByOption,
    reason: ReasonOption,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send no new order, as before a planned stop; what rests may end by itself."""
    _mode(name, "draining", by, reason, config, data_dir, as_json)


def reduce(
    name: NameArgument,
    by: ByOption,
    reason: ReasonOption,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send only orders that bring the position closer to flat."""
    _mode(name, "reduce_only", by, reason, config, data_dir, as_json)


def resume(
    name: NameArgument,
    by: ByOption,
    reason: ReasonOption,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Trade normally again; this also lifts the kill switch and the day's loss limit, which counts anew from here."""
    _mode(name, "normal", by, reason, config, data_dir, as_json)


def kill(
    name: NameArgument,
    by: ByOption,
    reason: ReasonOption,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send nothing, cancel everything of ours, verify it twice; holds over restarts until `resume`."""
    _mode(name, "killed", by, reason, config, data_dir, as_json)
    if not as_json:
        print(f"back to trading with: trading-orchestrator desk resume {name} --by NAME --reason TEXT")


def arm(
    name: NameArgument,
    by: ByOption,
    reason: ReasonOption,
    yes: YesOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let orders leave. A desk whose broker moves real money (`live`, unless said false) starts unarmed.

    It stays armed over restarts and takeovers, for this account only, until `disarm`.
    """
    confirm(f"desk {name} will send orders{_stakes(name, config, data_dir)}", yes=yes)
    request = requested(ArmingRequested(desk=name, armed=True, by=by, reason=reason))
    ask_desk(name, request, asked="let orders leave", config=config, data_dir=data_dir, as_json=as_json)


def disarm(
    name: NameArgument,
    by: ByOption,
    reason: ReasonOption,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let no order leave until the desk is armed again; what rests stays, cancels and booking go on."""
    request = requested(ArmingRequested(desk=name, armed=False, by=by, reason=reason))
    ask_desk(name, request, asked="let no order leave", config=config, data_dir=data_dir, as_json=as_json)


def release(
    name: NameArgument,
    symbol: Annotated[str, typer.Argument(help="The symbol that takes no new entries; `desks` tells why.")],
    by: ByOption,
    reason: ReasonOption,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a symbol's block after you looked at its cause: an overfill, or a quarantined order.

    A quarantined order keeps its exposure reserved (`write-off` frees it). An unexplained balance is not released:
    explain it with `adjust`, and the block ends by itself.
    """
    request = requested(ReleaseRequested(desk=name, symbol=symbol, by=by, reason=reason))
    ask_desk(name, request, asked=f"release {symbol}", config=config, data_dir=data_dir, as_json=as_json)


def write_off(
    name: NameArgument,
    order_id: Annotated[str, typer.Argument(metavar="ID", help="The order, as `orders explain` takes it.")],
    by: ByOption,
    reason: ReasonOption,
    yes: YesOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Declare that an order is not at the venue and will not come, after you looked there yourself.

    It is for orders in quarantine, and for those of others on the account that have ended without a word.

    Its exposure is freed. Should it trade all the same, the trade is booked and you are told.
    """
    order = revived_order(ask(config, data_dir, lambda store: find_order(store, order_id)).value)
    terms = f"{order.side.value} {order.order_qty} {order.symbol} at {order.px if order.px is not None else 'market'}"
    confirm(f"order {order.cl_ord_id} ({terms}) will be held to be nowhere, its exposure freed", yes=yes)
    request = requested(WriteOffRequested(desk=name, cl_ord_id=order.cl_ord_id, by=by, reason=reason))
    asked = f"write off order {order.cl_ord_id}"
    ask_desk(name, request, asked=asked, config=config, data_dir=data_dir, as_json=as_json)


def bust(
    name: NameArgument,
    symbol: Annotated[str, typer.Argument(help="The symbol of the trade.")],
    trade_id: Annotated[str, typer.Argument(metavar="TRADE", help="The venue's id of the trade, as it is booked.")],
    by: ByOption,
    reason: ReasonOption,
    yes: YesOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a booked trade back because the venue did, and only told you: position and balances move back by it."""
    request = requested(BustRequested(desk=name, symbol=symbol, trade_id=trade_id, by=by, reason=reason))
    confirm(f"trade {trade_id} on {symbol} will be taken back, for ever", yes=yes)
    asked = f"take trade {trade_id} on {symbol} back"
    ask_desk(name, request, asked=asked, config=config, data_dir=data_dir, as_json=as_json)


def correct(
    name: NameArgument,
    symbol: Annotated[str, typer.Argument(help="The symbol of the trade.")],
    trade_id: Annotated[str, typer.Argument(metavar="TRADE", help="The venue's id of the trade, as it is booked.")],
    qty: Annotated[str, typer.Option("--qty", help="How much it is of now.")],
    px: Annotated[str, typer.Option("--px", help="At what price it is now.")],
    by: ByOption,
    reason: ReasonOption,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a booked trade because the venue did, and only told you; its fee stays as booked."""
    act = CorrectionRequested(
        desk=name,
        symbol=symbol,
        trade_id=trade_id,
        qty=_decimal("--qty", qty),
        px=_decimal("--px", px),
        by=by,
        reason=reason,
    )
    asked = f"hold trade {trade_id} on {symbol} to be of {qty} at {px}"
    ask_desk(name, requested(act), asked=asked, config=config, data_dir=data_dir, as_json=as_json)


def adjust(
    name: NameArgument,
    asset: Annotated[str, typer.Argument(help="The asset that moved.")],
    qty: Annotated[str, typer.Argument(help="How much more of it there is than trades explain; less: -5.")],
    by: ByOption,
    reason: ReasonOption,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain a balance that trades do not: a deposit, a withdrawal, a transfer. No trade is invented."""
    request = adjustment_requested(name, asset, _decimal("QTY", qty), by=by, reason=reason)
    asked = f"book {qty} {asset} as explained by {by}"
    ask_desk(name, request, asked=asked, config=config, data_dir=data_dir, as_json=as_json)


def adjust_position(
    name: NameArgument,
    symbol: Annotated[str, typer.Argument(help="The symbol whose position is not what its trades add up to.")],
    qty: Annotated[str, typer.Argument(help="How much more is held, in base units; less: -5.")],
    px: Annotated[str, typer.Option("--px", help="At what price it came in or left; profit does not move there.")],
    by: ByOption,
    reason: ReasonOption,
    yes: YesOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain a position that trades do not: inventory moved in or out. Balances are explained apart, by `adjust`."""
    act = PositionAdjustmentRequested(
        desk=name, symbol=symbol, qty=_decimal("QTY", qty), px=_decimal("--px", px), by=by, reason=reason
    )
    request = requested(act)
    confirm(f"desk {name} will hold {qty} more of {symbol}, at {px}; no trade, no balance changes", yes=yes)
    asked = f"move its position in {symbol} by {qty} at {px}"
    ask_desk(name, request, asked=asked, config=config, data_dir=data_dir, as_json=as_json)


def _mode(
    desk: str, mode: str, by: str, reason: str, config: Path | None, data_dir: Path | None, as_json: bool
) -> None:
    request = mode_requested(desk, mode, by=by, reason=reason)
    asked = f"be {mode.replace('_', ' ')}"
    ask_desk(desk, request, asked=asked, config=config, data_dir=data_dir, as_json=as_json)


def _decimal(what: str, text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Refused(f"{what}: expected a number, was {text!r}") from None


def _stakes(name: str, config: Path | None, data_dir: Path | None) -> str:
    """Return what the config says is at stake; the running system's own config decides, and may be another."""
    try:
        settings = hall.read_settings(config, data_dir=data_dir).settings
    except ConfigRefused:
        return ", as the config says that it runs with"
    desk = settings.trading.desk.get(name)
    if desk is None:
        return ""
    broker = settings.brokers[desk.broker]
    money = "REAL MONEY" if broker.live else "practice money" if broker.urls else "REAL MONEY but for `run --practice`"
    strategies = ", ".join(each.name for each in desk.strategies if each.enabled) or "no strategy"
    account = f"{broker.exchange} as account {desk.account_name}"
    return f" to {account}, with {money}: {strategies} on {', '.join(desk.symbols)}"
