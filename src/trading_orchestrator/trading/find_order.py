"""Finds an order by any of its ids, or by an unambiguous beginning of one."""

from __future__ import annotations

import msgspec

from trading_orchestrator.errors import Refused
from trading_orchestrator.storage.ports import FactStore, ProjectionRow
from trading_orchestrator.trading.orders.client_id import cl_ord_id as client_id_of
from trading_orchestrator.trading.orders.stored import ORDER_IDS, ORDERS, named_order
from trading_orchestrator.trading.rows import DESKS

PAGE = 1_000
SEARCHED_ORDERS = 100_000
"""How far back an id is looked for that no index leads to; the newest orders first (under a second)."""
AMBIGUOUS_SHOWN = 5


class NoSuchOrder(Refused):
    """No order of this journal answers to the id. Facts: order_id."""

    code = "orders.not_found"


class AmbiguousId(Refused):
    """Several orders answer to the id: give more of it. Facts: order_id, found."""

    code = "orders.ambiguous"


class StoredOrder(msgspec.Struct, frozen=True):
    """What a row of the `orders` projection tells of where the order is found."""

    cl_ord_id: str
    desk: str
    intent_id: str = ""
    venue_order_id: str = ""


class _DeskRow(msgspec.Struct):
    account: str


async def find_order(store: FactStore, order_id: str) -> ProjectionRow:
    """Return the row of the one order that answers to this id."""
    for cl_ord_id in [order_id, *await _known_as(store, order_id)]:
        if (row := await store.row(ORDERS, cl_ord_id)) is not None:
            return row
    exact, begun = await _searched(store, order_id)
    found = exact or begun
    if not found:
        raise NoSuchOrder(
            f"no order has an id that begins with {order_id!r} among the newest {SEARCHED_ORDERS:,}; "
            "list them with: trading-orchestrator orders list",
            order_id=order_id,
        )
    if len(found) > 1:
        some = ", ".join(row.key for row in found[:AMBIGUOUS_SHOWN])
        more = f" and {len(found) - AMBIGUOUS_SHOWN} more" if len(found) > AMBIGUOUS_SHOWN else ""
        raise AmbiguousId(
            f"{len(found)} orders answer to {order_id!r}: {some}{more}; give more of the id",
            order_id=order_id,
            found=[row.key for row in found[:AMBIGUOUS_SHOWN]],
        )
    return found[0]


async def _known_as(store: FactStore, order_id: str) -> list[str]:
    """Return the cl_ord_ids that indexes lead to: of a request, of SYMBOL#VENUE_ID, and computed from an intent."""
    found = []
    for row in await store.rows(DESKS, limit=PAGE):
        account = msgspec.json.decode(row.value, type=_DeskRow).account
        if (named := await store.row(ORDER_IDS, f"{account}/{order_id}")) is not None:
            found.append(named_order(named.value))
        found.append(client_id_of(account, store.journal_id, order_id, 0))
    return found


async def _searched(store: FactStore, order_id: str) -> tuple[list[ProjectionRow], list[ProjectionRow]]:
    """Return the newest orders that have exactly this id, and those with one that begins so."""
    exact: list[ProjectionRow] = []
    begun: list[ProjectionRow] = []
    seen, before_pos = 0, None
    while seen < SEARCHED_ORDERS:
        page = await store.rows(ORDERS, before_pos=before_pos, limit=PAGE)
        for row in page:
            stored = msgspec.json.decode(row.value, type=StoredOrder)
            ids = (stored.cl_ord_id, stored.venue_order_id, stored.intent_id)
            if order_id in ids:
                exact.append(row)
            elif any(one.startswith(order_id) for one in ids):
                begun.append(row)
        seen += len(page)
        if len(page) < PAGE:
            break
        before_pos = page[-1].pos
    return exact, begun
