"""Puts a named person's request to a desk into the journal and tells what the desk answered."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import typer

from trading_orchestrator.app import settings as hall
from trading_orchestrator.cli.desks import holder_of
from trading_orchestrator.cli.reading import as_json as json_line
from trading_orchestrator.cli.reading import check_desk
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.clock import Clock, SystemClock
from trading_orchestrator.storage.ports import FactStore, NewFact
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.trading.facts import KINDS, Body
from trading_orchestrator.trading.operator_acts import in_words
from trading_orchestrator.trading.permit_facts import RequestDeclined

NODE = "operator"
ANSWER_WITHIN_S = 3.0
LOOK_AGAIN_S = 0.2
DECLINED = 1


class Answer(NamedTuple):
    """What the desk answered; `body` None: it has not yet. `held_by`: who holds it, None: nobody."""

    pos: int
    held_by: str | None
    body: Body | None


def ask_desk(
    desk: str, request: NewFact, *, asked: str, config: Path | None, data_dir: Path | None, as_json: bool
) -> None:
    """Journal the request, wait for the desk to follow it, and print the outcome.

    Args:
        asked: what was asked for, as the end of "asked desk NAME to …".

    Raises:
        Refused: there is no such desk; nothing was written.
        typer.Exit: code 1 when the desk declined.
    """
    answer = asyncio.run(_ask(hall.find_data_dir(config, data_dir), desk, request))
    is_declined = isinstance(answer.body, RequestDeclined)
    if as_json:
        print(json_line(_told(desk, answer)))
    else:
        print(f"asked desk {desk} to {asked}")
        print(_in_words(desk, answer))
    if is_declined:
        raise typer.Exit(DECLINED)


def confirm(what: str, *, yes: bool) -> None:
    """Say what will happen and let the person at the terminal agree; in a script `--yes` does.

    Raises:
        Refused: nobody agreed; nothing was written.
    """
    print(what, file=sys.stderr)
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused("nobody is at a terminal to agree: say --yes")
    if not typer.confirm("Go on?", err=True):
        raise Refused("not agreed: nothing was asked")


async def _ask(data_dir: Path, desk: str, request: NewFact) -> Answer:
    clock = SystemClock()
    store = await open_store(data_dir / hall.JOURNAL_FILE, clock=clock, create=False)
    try:
        await check_desk(store, desk)
        (fact,) = await store.append([request], node=NODE, fence=None)
        held_by = await holder_of(store, data_dir, desk)
        body = await _answer(store, desk, fact.pos, clock) if held_by is not None else None
        return Answer(fact.pos, held_by, body)
    finally:
        await store.close()


async def _answer(store: FactStore, desk: str, pos: int, clock: Clock) -> Body | None:
    """Return the last of the desk's facts that answer the request at this place, None if none comes in time."""
    until_ns = clock.monotonic_ns() + int(ANSWER_WITHIN_S * 1e9)
    after_pos, seen_pos = pos, pos
    found: Body | None = None
    while found is None and clock.monotonic_ns() < until_ns:
        seen_pos = await store.wait_change(seen_pos, LOOK_AGAIN_S)
        for fact in await store.read(stream=f"desk/{desk}", after_pos=after_pos):
            after_pos = fact.pos
            kind = KINDS.get(fact.kind)
            if kind is not None and "request_pos" in kind.__struct_fields__:
                body = msgspec.json.decode(fact.body, type=kind)
                found = body if getattr(body, "request_pos", 0) == pos else found
    return found


def _told(desk: str, answer: Answer) -> dict[str, Any]:
    body = answer.body
    return {
        "desk": desk,
        "request_pos": answer.pos,
        "held_by": answer.held_by,
        "followed": body is not None and not isinstance(body, RequestDeclined),
        "answer": in_words(body) if body is not None else None,
    }


def _in_words(desk: str, answer: Answer) -> str:
    if answer.body is not None:
        return f"desk {desk}: {in_words(answer.body) or 'followed'}"
    if answer.held_by is None:
        return f"nobody holds desk {desk} now: it follows when it starts, before anything else"
    return f"node {answer.held_by} has not answered within {ANSWER_WITHIN_S:g} s; it follows when it can: see `desks`"
