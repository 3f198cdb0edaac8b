"""Cancels and replaces on their way: requests beside the order, so that they never hide a fill."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum

import msgspec

from trading_orchestrator.kernel.machine import Machine, Row


class RequestAt(Enum):
    """Where a request is."""

    INTENDED = "intended"
    PENDING = "pending"
    DOUBTED = "doubted"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    MOOT = "moot"

    __hash__ = object.__hash__  # as in `life.At`


class RequestOn(Enum):
    """What can happen to a request."""

    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DOUBTED = "doubted"
    ORDER_CLOSED = "order_closed"

    __hash__ = object.__hash__


REQUEST_LIFE: Machine[RequestAt, RequestOn] = Machine(
    name="request",
    start=RequestAt.INTENDED,
    rows=(
        Row(RequestAt.INTENDED, RequestOn.ACKNOWLEDGED, RequestAt.PENDING),
        Row(RequestAt.INTENDED, RequestOn.ACCEPTED, RequestAt.ACCEPTED, "most venues never say pending"),
        Row(RequestAt.INTENDED, RequestOn.REFUSED, RequestAt.REFUSED),
        Row(RequestAt.INTENDED, RequestOn.DOUBTED, RequestAt.DOUBTED),
        Row(RequestAt.INTENDED, RequestOn.ORDER_CLOSED, RequestAt.MOOT),
        Row(RequestAt.PENDING, RequestOn.ACCEPTED, RequestAt.ACCEPTED),
        Row(RequestAt.PENDING, RequestOn.REFUSED, RequestAt.REFUSED),
        Row(RequestAt.PENDING, RequestOn.ORDER_CLOSED, RequestAt.MOOT),
        Row(RequestAt.DOUBTED, RequestOn.ACKNOWLEDGED, RequestAt.PENDING, "the stream tells what the answer did not"),
        Row(RequestAt.DOUBTED, RequestOn.ACCEPTED, RequestAt.ACCEPTED),
        Row(RequestAt.DOUBTED, RequestOn.REFUSED, RequestAt.REFUSED),
        Row(RequestAt.DOUBTED, RequestOn.ORDER_CLOSED, RequestAt.MOOT),
        Row(
            RequestAt.MOOT,
            RequestOn.ACCEPTED,
            RequestAt.ACCEPTED,
            "a venue that replaces by cancel-and-new may report the cancel of the old one first",
        ),
        Row(RequestAt.REFUSED, RequestOn.ACCEPTED, RequestAt.ACCEPTED, "the venue's report beats a refusal we read"),
    ),
    terminal=frozenset({RequestAt.ACCEPTED, RequestAt.REFUSED, RequestAt.MOOT}),
)


class RequestKind(Enum):
    """What was asked for."""

    CANCEL = "cancel"
    REPLACE = "replace"


class Request(msgspec.Struct, frozen=True, omit_defaults=True):
    """One cancel or replace of one order. `order_qty` and `px` are the new terms a replace asks for."""

    request_id: str
    kind: RequestKind
    at: RequestAt = RequestAt.INTENDED
    order_qty: Decimal | None = None
    px: Decimal | None = None

    @property
    def is_open(self) -> bool:
        return self.at not in REQUEST_LIFE.terminal

    def on(self, event: RequestOn) -> Request:
        """Return the request after the event.

        Raises:
            NoSuchTransition: the table has no such row.
        """
        return msgspec.structs.replace(self, at=REQUEST_LIFE.step(self.at, event))
