"""What a named person may ask of a desk beside its mode: arm it, release a block, write off, explain a position.

Each is a fact that needs no lease; the desk that holds the lease answers with facts of its own, once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.money import plain
from trading_orchestrator.storage.ports import NewFact
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading import permit_facts as p
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.orders.amends import of_bust, of_correction
from trading_orchestrator.trading.orders.finding import Finding, Known
from trading_orchestrator.trading.orders.life import At

STREAM = "config"
UNEXPLAINED = "balance.unexplained"


class ArmingRequested(msgspec.Struct, frozen=True):
    """Let orders leave (`armed`), or let none leave any more."""

    desk: str
    armed: bool
    by: str
    reason: str


class ReleaseRequested(msgspec.Struct, frozen=True):
    """Somebody looked at what blocked the symbol: it may be traded again."""

    desk: str
    symbol: str
    by: str
    reason: str


class WriteOffRequested(msgspec.Struct, frozen=True):
    """Somebody looked at the venue: this order, quarantined or not ours, is not there and will not come."""

    desk: str
    cl_ord_id: str
    by: str
    reason: str


class PositionAdjustmentRequested(msgspec.Struct, frozen=True):
    """`qty` of the symbol came in (or left) at `px`, by no trade of this desk."""

    desk: str
    symbol: str
    qty: Decimal
    px: Decimal
    by: str
    reason: str


class BustRequested(msgspec.Struct, frozen=True):
    """The venue told somebody, and not its interface, that it took this booked trade back."""

    desk: str
    symbol: str
    trade_id: str
    by: str
    reason: str


class CorrectionRequested(msgspec.Struct, frozen=True):
    """The venue told somebody, and not its interface, that this booked trade is of `qty` at `px`."""

    desk: str
    symbol: str
    trade_id: str
    qty: Decimal
    px: Decimal
    by: str
    reason: str


Amendment: TypeAlias = BustRequested | CorrectionRequested
Act: TypeAlias = ArmingRequested | ReleaseRequested | WriteOffRequested | PositionAdjustmentRequested | Amendment
ACTS: dict[str, type[Act]] = {
    "desk.arming_requested": ArmingRequested,
    "symbol.release_requested": ReleaseRequested,
    "order.write_off_requested": WriteOffRequested,
    "position.adjustment_requested": PositionAdjustmentRequested,
    "trade.bust_requested": BustRequested,
    "trade.correction_requested": CorrectionRequested,
}
_KIND_OF = {act: kind for kind, act in ACTS.items()}


@dataclass(frozen=True)
class Stakes:
    """What the config says is at stake: whether the broker moves real money, and in which symbols."""

    live: bool
    symbols: tuple[str, ...]


def requested(act: Act) -> NewFact:
    """Return the request, ready to append without a fence.

    Raises:
        Refused: nobody takes responsibility, or it changes nothing.
    """
    check_responsible(act.by, act.reason)
    if isinstance(act, PositionAdjustmentRequested) and not (act.qty.is_finite() and act.qty and act.px > 0):
        raise Refused(f"expected a quantity other than 0 and a price above 0, was {act.qty} at {act.px}")
    if isinstance(act, CorrectionRequested) and not (act.qty.is_finite() and act.qty > 0 and act.px > 0):
        raise Refused(
            f"expected a quantity and a price above 0, was {act.qty} at {act.px}; none at all is a `desk bust`"
        )
    body = msgspec.structs.replace(act, by=act.by.strip(), reason=act.reason.strip())
    return NewFact(stream=STREAM, kind=_KIND_OF[type(act)], body=body)


def check_responsible(by: str, reason: str) -> None:
    """Raise Refused unless a named person says why."""
    if not by.strip() or not reason.strip():
        raise Refused("this is for a named person with a reason: expected both, was empty")


def answers_to_act(book: Book, act: Act, stakes: Stakes, pos: int) -> tuple[f.Body, ...]:
    """Return the facts with which the desk follows the act at this place of the journal, or declines it; pure."""
    return _ANSWERS[type(act)](book, act, stakes, pos)


def answers_to_amendment(book: Book, act: Amendment, pos: int, known: Known) -> Finding:
    """Return what has to be looked up first, or the facts with which the desk follows the act, or declines it; pure."""
    if isinstance(act, BustRequested):
        finding = of_bust(book, symbol=act.symbol, trade_id=act.trade_id, known=known)
    else:
        finding = of_correction(
            book, symbol=act.symbol, trade_id=act.trade_id, last_qty=act.qty, last_px=act.px, known=known
        )
    if finding.asks:
        return finding
    facts = tuple(
        msgspec.structs.replace(body, reason=act.reason, by=act.by, request_pos=pos)
        if isinstance(body, f.TradeBusted | f.TradeCorrected)
        else body
        for body in finding.facts
        if not isinstance(body, f.OrderFlagged)
    )
    why = "was taken back already, or is booked so" if not finding.facts else "is not booked"
    return Finding(facts=facts or _declined(act, pos, f"trade {act.trade_id} on {act.symbol} {why}"))


def _armed(book: Book, act: ArmingRequested, stakes: Stakes, pos: int) -> tuple[f.Body, ...]:
    if not act.armed:
        return (p.DeskDisarmed(by=act.by, reason=act.reason, request_pos=pos),)
    return (p.DeskArmed(account=book.account, live=stakes.live, by=act.by, reason=act.reason, request_pos=pos),)


def _released(book: Book, act: ReleaseRequested, stakes: Stakes, pos: int) -> tuple[f.Body, ...]:
    code = book.blocked.get(act.symbol)
    if code is None:
        return _declined(act, pos, f"{act.symbol} is not blocked")
    if code == UNEXPLAINED:
        return _declined(
            act,
            pos,
            f"{act.symbol} is blocked because balances and trades differ: explain the difference with `desk adjust`, "
            "and the block ends by itself",
        )
    return (f.SymbolReleased(symbol=act.symbol, by=act.by, reason=act.reason, request_pos=pos),)


def _written_off(book: Book, act: WriteOffRequested, stakes: Stakes, pos: int) -> tuple[f.Body, ...]:
    order = book.order(act.cl_ord_id)
    if order is None:
        return _declined(act, pos, f"no open order {act.cl_ord_id}")
    if order.foreign and not order.is_closed:
        return (f.ForeignOrderGone(cl_ord_id=order.cl_ord_id, reason=act.reason, by=act.by, request_pos=pos),)
    if order.lack is not At.QUARANTINED:
        where = order.status.value.replace("_", " ")
        return _declined(act, pos, f"order {order.cl_ord_id} is {where}: only a quarantined order can be written off")
    proof = [f"{act.by}: {act.reason}"]
    return (f.OrderAbandoned(cl_ord_id=order.cl_ord_id, proof=proof, request_pos=pos),)


def _position_adjusted(book: Book, act: PositionAdjustmentRequested, stakes: Stakes, pos: int) -> tuple[f.Body, ...]:
    if act.symbol not in stakes.symbols:
        return _declined(act, pos, f"{act.symbol} is none of the desk's symbols ({', '.join(stakes.symbols)})")
    body = p.PositionAdjusted(symbol=act.symbol, qty=act.qty, px=act.px, by=act.by, reason=act.reason, request_pos=pos)
    return (body,)


def _declined(act: Act, pos: int, text: str) -> tuple[f.Body, ...]:
    return (p.RequestDeclined(text=text, by=act.by, request_pos=pos),)


_ANSWERS: dict[type[Act], Callable[[Book, Any, Stakes, int], tuple[f.Body, ...]]] = {
    ArmingRequested: _armed,
    ReleaseRequested: _released,
    WriteOffRequested: _written_off,
    PositionAdjustmentRequested: _position_adjusted,
}


def in_words(body: f.Body) -> str:
    """Return what the desk answered, for whoever asked; "" for a fact that answers nobody."""
    say = _WORDS.get(type(body))
    return say(body) if say is not None else ""


def _armed_in_words(body: p.DeskArmed) -> str:
    return f"armed for account {body.account}, {'with real money' if body.live else 'for practice'}"


_WORDS: dict[type[f.Body], Callable[[Any], str]] = {
    p.RequestDeclined: lambda body: f"declined: {body.text}",
    p.DeskArmed: _armed_in_words,
    p.DeskDisarmed: lambda body: "disarmed: no order leaves until it is armed again",
    p.PositionAdjusted: lambda body: f"position in {body.symbol} moved by {plain(body.qty)} at {plain(body.px)}",
    f.SymbolReleased: lambda body: f"{body.symbol} is released",
    f.OrderAbandoned: lambda body: f"order {body.cl_ord_id} is written off; a late trade of it is still booked",
    f.ForeignOrderGone: lambda body: f"order {body.cl_ord_id}, which is not ours, is written off",
    f.TradeBusted: lambda body: f"trade {body.trade.trade_id} on {body.trade.symbol} is taken back",
    f.TradeCorrected: lambda body: (
        f"trade {body.after.trade_id} on {body.after.symbol} is of {plain(body.after.last_qty)} "
        f"at {plain(body.after.last_px)}"
    ),
    f.AccountAdjusted: lambda body: f"{plain(body.qty)} {body.asset} are explained",
    f.DeskModeChanged: lambda body: f"the desk is {body.mode.replace('_', ' ')}",
    f.DeskKilled: lambda body: "the kill switch is on: everything of ours is being canceled",
}
