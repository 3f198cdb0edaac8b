"""What an operator asks of a desk: a fact that needs no lease, answered by facts of the desk that holds it."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Literal, TypeAlias, get_args

import msgspec

from trading_orchestrator.errors import OrchestratorError, Refused
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.storage.ports import Fact, FactStore, NewFact
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.operator_acts import (
    ACTS,
    STREAM,
    Act,
    Amendment,
    BustRequested,
    CorrectionRequested,
    Stakes,
    answers_to_act,
    answers_to_amendment,
    check_responsible,
)
from trading_orchestrator.trading.orders.finding import VENUE, Ask
from trading_orchestrator.trading.permit_facts import LossLimitLifted, RequestDeclined
from trading_orchestrator.trading.record import DeskRecord

log = logging.getLogger(__name__)
REQUESTED = "desk.mode_requested"
ADJUSTMENT = "account.adjustment_requested"
LOOK_AGAIN_S = 1.0
LOOKS_APART_S = 0.05
"""A desk that books hundreds of facts a second must not look for requests after each."""

Mode = Literal["normal", "reduce_only", "halted", "draining", "killed"]
MODES: tuple[str, ...] = get_args(Mode)
RECOVERY = "recovery"
MAY_REPLACE = {"reduce_only": ("normal",), "halted": ("normal", "reduce_only", "draining")}
"""Which modes a step of recovery may replace: it makes a desk safer, and takes nothing back that a person said."""


class ModeRequested(msgspec.Struct, frozen=True):
    """A named person asks a desk for a mode. "killed" turns the latch on; "normal" lifts it and the day's loss."""

    desk: str
    mode: str
    by: str
    reason: str


class AdjustmentRequested(msgspec.Struct, frozen=True):
    """A named person explains why the account holds `qty` more (or less) of an asset than its trades add up to."""

    desk: str
    asset: str
    qty: Decimal
    by: str
    reason: str


Request: TypeAlias = ModeRequested | AdjustmentRequested | Act
KINDS: dict[str, type[Request]] = {REQUESTED: ModeRequested, ADJUSTMENT: AdjustmentRequested, **ACTS}


def adjustment_requested(desk: str, asset: str, qty: Decimal, *, by: str, reason: str) -> NewFact:
    """Return the request, ready to append without a fence.

    Raises:
        Refused: it changes nothing, or nobody takes responsibility.
    """
    if not asset or not qty.is_finite() or not qty:
        raise Refused(f"expected an asset and a quantity other than 0, was {asset!r} {qty}")
    check_responsible(by, reason)
    body = AdjustmentRequested(desk, asset, qty, by.strip(), reason.strip())
    return NewFact(stream=STREAM, kind=ADJUSTMENT, body=body)


def mode_requested(desk: str, mode: str, *, by: str, reason: str) -> NewFact:
    """Return the request, ready to append without a fence.

    Raises:
        Refused: no such mode, or nobody takes responsibility.
    """
    if mode not in MODES:
        raise Refused(f"expected one of {', '.join(MODES)}, was {mode!r}")
    check_responsible(by, reason)
    return NewFact(stream=STREAM, kind=REQUESTED, body=ModeRequested(desk, mode, by.strip(), reason.strip()))


def answers_to(book: Book, request: Request, stakes: Stakes, pos: int) -> tuple[f.Body, ...]:
    """Return the facts with which the desk follows the request at this place of the journal; pure."""
    by, reason = request.by, request.reason
    if not isinstance(request, ModeRequested | AdjustmentRequested):
        return answers_to_act(book, request, stakes, pos)
    if isinstance(request, AdjustmentRequested):
        return (f.AccountAdjusted(asset=request.asset, qty=request.qty, by=by, reason=reason, request_pos=pos),)
    if by == RECOVERY and book.mode == "halted" and book.mode_before_refusal in MAY_REPLACE.get(request.mode, ()):
        # It would go on by itself once its key works.
        return (f.DeskModeChanged(mode="halted", by=by, reason=reason, request_pos=pos),)
    if by == RECOVERY and book.mode not in MAY_REPLACE.get(request.mode, ()):
        # Whoever asked may not have known what the desk was asked for before.
        return (RequestDeclined(text=f"the desk is {book.mode.replace('_', ' ')} already", by=by, request_pos=pos),)
    if request.mode == "killed":
        if book.is_killed:
            return (RequestDeclined(text="the kill switch is on already", by=by, request_pos=pos),)
        return (f.DeskKilled(by=by, reason=reason, request_pos=pos),)
    lifted: list[f.Body] = []
    if request.mode == "normal" and book.is_killed:
        lifted.append(f.DeskKillLifted(by=by, reason=reason, request_pos=pos))
    if request.mode == "normal" and book.day_loss.reached:
        lifted.append(LossLimitLifted(by=by, reason=reason, request_pos=pos))
    return (*lifted, f.DeskModeChanged(mode=request.mode, by=by, reason=reason, request_pos=pos))


class ModeRequests:
    """Follows the requests to one desk, oldest first, each once: the answer holds the place of the request."""

    def __init__(self, record: DeskRecord, store: FactStore, clock: Clock, stakes: Stakes) -> None:
        self._record = record
        self._stakes = stakes
        self._store = store
        self._clock = clock
        self._pos = 0

    async def follow_now(self) -> None:
        """Answer everything that was asked until now. Raises what the store raises."""
        self._pos = max(self._pos, self._record.book.request_pos)
        while page := await self._store.read(stream=STREAM, after_pos=self._pos, kinds=tuple(KINDS)):
            for fact in page:
                await self._answer(fact)
                self._pos = fact.pos

    async def keep_following(self) -> None:
        """Answer for ever; a request is answered within 0.1 s."""
        seen_pos = self._pos
        while True:
            try:
                seen_pos = await self._store.wait_change(seen_pos, LOOK_AGAIN_S)
                await self.follow_now()
            except OrchestratorError as error:
                log.warning("looking for requests: %s", error.message)
            await self._clock.sleep(LOOKS_APART_S)

    async def _answer(self, fact: Fact) -> None:
        request = msgspec.json.decode(fact.body, type=KINDS[fact.kind])
        if request.desk != self._record.book.desk or self._record.is_lost:
            return
        mode = request.mode if isinstance(request, ModeRequested) else "normal"
        if mode not in MODES or not request.by or not request.reason:
            log.error("a request without a known mode, a name or a reason is not followed: %s", request)
            return
        if isinstance(request, BustRequested | CorrectionRequested):
            await self._amend(request, fact.pos)
        else:
            self._record.write(*answers_to(self._record.book, request, self._stakes, fact.pos))

    async def _amend(self, act: Amendment, pos: int) -> None:
        """Look the trade up in its row, which may be on its way yet; what only the venue knows stays unasked."""
        await self._record.flush()
        known: dict[Ask, bytes | None] = {}
        while (finding := answers_to_amendment(self._record.book, act, pos, known)).asks:
            for ask in finding.asks:
                row = await self._store.row(ask.projection, ask.key) if ask.projection != VENUE else None
                known[ask] = None if row is None else row.value
        if not self._record.is_lost:
            self._record.write(*finding.facts)
