"""JSON answers from msgspec values and from rows that are JSON already."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.responses import Response

from trading_orchestrator.perpetual_operations.console.pages import next_of
from trading_orchestrator.storage.ports import ProjectionRow

JSON = "application/json"
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_INTERNAL = "record"  # what trading revives an order or a trade from; not part of the API


def json_answer(value: object) -> Response:
    """Return any msgspec-encodable value as an answer."""
    return Response(msgspec.json.encode(value), media_type=JSON)


def page_of_rows(name: str, rows: Sequence[ProjectionRow], limit: int) -> Response:
    """Return rows as `{name: […], "next": pos}`; `next` is null on the last page."""
    return json_answer({name: [_shown(row) for row in rows], "next": next_of(rows, limit)})


def _shown(row: ProjectionRow) -> dict[str, msgspec.Raw]:
    fields = _FIELDS.decode(row.value)
    fields.pop(_INTERNAL, None)
    return fields
