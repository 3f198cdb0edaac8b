"""Ended here and worked by the venue: seen in its list, and asked for before it is believed."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from trading_orchestrator.brokers.port import Broker, OrderReport
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.trading.intake import Intake
from trading_orchestrator.trading.orders.evidence import is_ended_yet_works, of_reopening

log = logging.getLogger(__name__)


async def reopen(intake: Intake, broker: Broker, listed: Sequence[OrderReport], asked_ns: int, quiet_s: float) -> None:
    """Take back each end that the venue's list of open orders contradicts, if the venue says so when asked for it.

    Args:
        listed: the list, taken in already.
        asked_ns: when it was asked for, by the wall clock.
        quiet_s: for so long after an end a list may be older than it.

    One that nobody answers for stays as it is until the next list, and keeps nobody from the others.
    """
    for report in listed:
        order = intake.book.find_order(
            symbol=report.symbol, cl_ord_id=report.cl_ord_id, venue_order_id=report.venue_order_id
        )
        # What seems to have ended long after the question ended before the wall clock was set back.
        if order is None or abs(asked_ns - order.updated_ns) <= quiet_s * 1e9 or not is_ended_yet_works(order, report):
            continue
        try:
            said = await broker.order(report.symbol, report.cl_ord_id) if report.cl_ord_id else report
        except OrchestratorError as error:
            log.info("asking for %s, which ended here and is listed as open: %s", order.cl_ord_id, error.message)
            continue
        log.warning("%s is %s here, and the venue says %s", order.cl_ord_id, order.status.value, said.status.value)
        intake.conclude(of_reopening(intake.book, said))
