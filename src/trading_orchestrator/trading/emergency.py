"""While the journal takes nothing: cancels only, noted where no journal is needed, and journaled once it works."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from trading_orchestrator.brokers.port import Broker, VenueStatus
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.journal.emergency_area import EmergencyAreaFull
from trading_orchestrator.journal.emergency_notes import EmergencyNotes
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.tenancy import Seat
from trading_orchestrator.storage.ports import FactStore
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.facts import EmergencyCancelSent
from trading_orchestrator.trading.orders.client_id import emergency_request_id
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.record import DeskRecord

log = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0
AT_ONCE = 8
KEPT_FOR_ALL = 64
"""Slots of a node that its desks leave each other for one note of all their orders; the other 256 name one each."""
DECIDED, UNATTENDED = "decided", "unattended"
WHY: Mapping[str, str] = MappingProxyType(
    {
        DECIDED: "it was decided when the journal failed, and could not be journaled",
        UNATTENDED: "the journal takes nothing, so nobody may decide about what rests",
    }
)
_OVER = frozenset({VenueStatus.CANCELED, VenueStatus.FILLED, VenueStatus.EXPIRED, VenueStatus.REJECTED})


class EmergencyNote(msgspec.Struct, frozen=True, array_like=True):
    """One emergency cancel as it stands in the incarnation file; must fit into a slot.

    Without a `cl_ord_id` it stands for all orders of the desk that were open then.
    """

    desk: str
    symbol: str
    cl_ord_id: str
    request_id: str
    sent_ns: int
    why: str


class EmergencyCancels:
    """Stands in for a desk whose journal failed. Knows the orders that the lost Book held, and touches no others.

    At once it sends the cancels that were decided and could not be journaled; after `emergency_cancel_after_s` it
    cancels whatever of those orders the venue still lists, and looks again every second. It ends when somebody holds
    the desk with a later epoch, or is ended by the desk that trades again. Each order is noted before its first byte;
    what cannot be noted is not sent.
    """

    def __init__(
        self,
        book: Book,
        seat: Seat,
        *,
        store: FactStore,
        broker: Broker,
        config: DeskConfig,
        clock: Clock,
        notes: EmergencyNotes,
    ) -> None:
        self._book = book
        self._seat = seat
        self._store = store
        self._broker = broker
        self._config = config
        self._clock = clock
        self._notes = notes
        self._known = {order.cl_ord_id: order for order in book.open_orders() if not order.foreign}
        self._noted: set[str] = set()
        self._all_noted = False
        self._over: set[str] = set()
        self._task = asyncio.create_task(self._stand_in(), name=f"{seat.lease} emergency cancels")

    @property
    def count(self) -> int:
        """Return how many orders were asked to be canceled."""
        return len(self._noted)

    @property
    def is_over(self) -> bool:
        """Return whether somebody else holds the desk, so that nothing is sent any more."""
        return self._task.done()

    async def end(self) -> None:
        """Send nothing more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _stand_in(self) -> None:
        """Go on until ended, whatever happens: nobody else is left to cancel."""
        if await self._has_successor():
            return None
        log.warning(
            "%s: the journal takes nothing; cancels only, of %d open orders", self._seat.lease, len(self._known)
        )
        while True:
            try:
                return await self._cancel_what_may()
            except Exception:
                log.exception("%s: emergency cancels failed and go on", self._seat.lease)
                await self._clock.sleep(LOOK_EVERY_S)

    async def _cancel_what_may(self) -> None:
        decided = [order for order in self._known.values() if any(request.is_open for request in order.requests)]
        if await self._has_successor():  # it was frozen for long: whatever it knew is another's to cancel
            return
        await self._cancel_all(decided, DECIDED)
        await self._clock.sleep(self._config.emergency_cancel_after_s)
        while not await self._has_successor():
            await self._cancel_all(await self._still_open(), UNATTENDED)
            await self._clock.sleep(LOOK_EVERY_S)

    async def _still_open(self) -> list[Order]:
        """Return those of our orders that the venue lists; all not known to be over when it does not answer."""
        try:
            reports = await self._broker.open_orders(self._config.symbols)
        except OrchestratorError as error:
            log.info("looking for open orders: %s", error.message)
            return [order for order in self._known.values() if order.cl_ord_id not in self._over]
        listed = (self._book.order(report.cl_ord_id) for report in reports)
        return [order for order in listed if order is not None and order.cl_ord_id in self._known]

    async def _cancel_all(self, orders: Sequence[Order], why: str) -> None:
        for first in range(0, len(orders), AT_ONCE):
            await asyncio.gather(*(self._cancel(order, why) for order in orders[first : first + AT_ONCE]))

    async def _cancel(self, order: Order, why: str) -> None:
        if order.cl_ord_id not in self._noted and not self._note(order, why):
            return
        try:
            report = await self._broker.cancel(order.symbol, order.cl_ord_id)
        except OrchestratorError as error:
            log.warning("emergency cancel of %s: %s", order.cl_ord_id, error.message)
            return
        if report.status in _OVER:
            self._over.add(order.cl_ord_id)

    def _note(self, order: Order, why: str) -> bool:
        sent_ns = self._clock.wall_ns()
        request_id = emergency_request_id(order.cl_ord_id, sent_ns)
        note = EmergencyNote(self._book.desk, order.symbol, order.cl_ord_id, request_id, sent_ns, why)
        try:
            self._notes.note(msgspec.msgpack.encode(note), kept=KEPT_FOR_ALL)
        except EmergencyAreaFull:
            if not self._note_all(sent_ns, why):
                log.error("the cancel of %s cannot be noted and is not sent", order.cl_ord_id)
                return False
        self._noted.add(order.cl_ord_id)
        log.warning("emergency cancel of %s: %s", order.cl_ord_id, WHY[why])
        return True

    def _note_all(self, sent_ns: int, why: str) -> bool:
        """More orders than slots: one note stands for all of the desk."""
        if self._all_noted:
            return True
        try:
            self._notes.note(msgspec.msgpack.encode(EmergencyNote(self._book.desk, "", "", "", sent_ns, why)))
        except EmergencyAreaFull as error:
            log.error("no room to note emergency cancels: %s", error.message)
            return False
        self._all_noted = True
        return True

    async def _has_successor(self) -> bool:
        try:
            rows = await self._store.leases()
        except OrchestratorError:
            return False
        return any(row.name == self._seat.lease and row.epoch > self._seat.epoch for row in rows)


async def journal_notes(record: DeskRecord, notes: EmergencyNotes) -> int:
    """Journal what any node noted for this desk, then strike it; return how many there were.

    A death in between leaves notes that are journaled already: their facts change nothing the second time.
    """
    mine = [(noted, note) for noted in notes.noted() if (note := _read(noted.record)).desk == record.book.desk]
    if not mine:
        return 0
    singly = [(noted.node, each) for noted, note in mine for each in _singly(note, record.book)]
    if singly:
        await record.write(*_facts(singly))
    for noted, _ in mine:
        notes.strike(noted)
    return len(mine)


def _singly(note: EmergencyNote, book: Book) -> list[EmergencyNote]:
    """Return one note for each order that the note stands for; what began after it is none of them."""
    if note.cl_ord_id:
        return [note]
    meant = [order for order in book.open_orders() if not order.foreign and order.created_ns <= note.sent_ns]
    return [
        msgspec.structs.replace(
            note,
            symbol=order.symbol,
            cl_ord_id=order.cl_ord_id,
            request_id=emergency_request_id(order.cl_ord_id, note.sent_ns),
        )
        for order in meant
    ]


def _facts(noted: Iterable[tuple[str, EmergencyNote]]) -> list[EmergencyCancelSent]:
    return [
        EmergencyCancelSent(
            cl_ord_id=note.cl_ord_id,
            request_id=note.request_id,
            node=node,
            sent_ns=note.sent_ns,
            reason=WHY.get(note.why, note.why),
        )
        for node, note in noted
    ]


def _read(record: bytes) -> EmergencyNote:
    return msgspec.msgpack.decode(record, type=EmergencyNote)
