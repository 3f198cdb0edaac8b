"""Bodies of commands: JSON by its content type, so that another site's form cannot send one, and typed."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from fastapi import Request

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.console.answers import JSON

T = TypeVar("T")
BYTES_MAX = 1_000_000


def body_of(kind: Any) -> dict[str, Any]:
    """Return what a route adds to its own description, so that the reference shows what to send.

    Args:
        kind: as given to `read_json`: a Struct, or a list of one.
    """
    (schema,), parts = msgspec.json.schema_components((kind,), ref_template="{name}")
    return {"requestBody": {"required": True, "content": {JSON: {"schema": _whole(schema, parts)}}}}


def _whole(schema: Any, parts: dict[str, Any]) -> Any:
    """Return the schema with what it refers to in its place: each description stands for itself."""
    if isinstance(schema, list):
        return [_whole(each, parts) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _whole(parts[schema["$ref"]], parts)
    return {key: _whole(value, parts) for key, value in schema.items()}


class BodyRefused(Refused):
    """The body of a command cannot be used. Facts: key."""

    code = "request.body"


async def read_json(request: Request, kind: type[T]) -> T:
    """Return the body as `kind`.

    Raises:
        BodyRefused: not JSON, too long, or a key is missing, unknown or of the wrong type; the sentence names it.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != JSON:  # a browser asks before it sends JSON to another site, and is told no
        raise BodyRefused(f"expected the header content-type: {JSON}, was {content_type or 'missing'}")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BYTES_MAX:
            raise BodyRefused(f"expected at most {BYTES_MAX} bytes, was more")
    try:
        return msgspec.json.decode(bytes(body), type=kind)
    except msgspec.MsgspecError as error:
        said, _, key = str(error).removesuffix("`").partition(" - at `$.")
        raise BodyRefused(f"the body: {key + ': ' if key else ''}{said[0].lower()}{said[1:]}", key=key) from None
