"""Server-sent events as bytes (HTML living standard, 9.2)."""

from __future__ import annotations

import msgspec

from trading_orchestrator.storage.ports import Fact

MEDIA_TYPE = "text/event-stream"
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class FactShown(msgspec.Struct, frozen=True):
    """A fact as the API shows it: hashes as hex, the body as it was written."""

    pos: int
    stream: str
    seq: int
    at_ns: int
    node: str
    epoch: int
    kind: str
    body: msgspec.Raw
    hash: str


def shown(fact: Fact) -> FactShown:
    """Return the fact for a reader of the API."""
    return FactShown(
        fact.pos,
        fact.stream,
        fact.seq,
        fact.at_ns,
        fact.node,
        fact.epoch,
        fact.kind,
        msgspec.Raw(fact.body),
        fact.hash.hex(),
    )


def frame(event: str, data: bytes, event_id: int | None = None) -> bytes:
    """Return one event; `data` is JSON and so has no line breaks."""
    id_line = b"" if event_id is None else b"id: %d\n" % event_id
    return b"%bevent: %b\ndata: %b\n\n" % (id_line, event.encode(), data)


def fact_frame(fact: Fact) -> bytes:
    """Return the event of one fact; its id is the fact's position, so a reader can resume behind it."""
    return frame("fact", msgspec.json.encode(shown(fact)), fact.pos)


def farewell(retry_ms: int) -> bytes:
    """Return the end of a stream that is closed in order: come back in `retry_ms`."""
    return b"retry: %d\nevent: end\ndata: {}\n\n" % retry_ms
