"""A viewer sees every fact once and in order, resumes where it was, and is told when to come back."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from tests.integration.operations.conftest import PracticeDesk
from tests.integration.operations.event_stream import Event, events
from trading_orchestrator.perpetual_operations.console.fact_feed import KEPT
from trading_orchestrator.perpetual_operations.console.server import ConsoleServer
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.storage.sqlite import SqliteStore

pytestmark = pytest.mark.usefixtures("console")


async def take(client: httpx2.AsyncClient, name: str, count: int, **request: dict[str, str]) -> list[Event]:
    """Return the first events of one kind."""
    found: list[Event] = []
    async with client.stream("GET", "/api/live", **request) as stream:  # type: ignore[arg-type]
        async for event in events(stream):
            found += [event] if event.name == name else []
            if len(found) == count:
                return found
    raise AssertionError(f"the stream ended after {len(found)} of {count} events")


async def head(store: SqliteStore) -> int:
    return max(head.pos for head in await store.heads())


async def test_a_viewer_sees_what_is_written_from_now_on(client: httpx2.AsyncClient, desk: PracticeDesk) -> None:
    before = await head(desk.store)
    async with client.stream("GET", "/api/live") as stream:
        reading = events(stream)
        hello = await anext(reading)
        await desk.trade()
        facts: list[Event] = []
        while len(facts) < 2:
            facts += [event for event in [await anext(reading)] if event.name == "fact"]

    assert ("hello", before) == (hello.name, hello.event_id)
    assert [before + 1, before + 2] == [event.event_id for event in facts]
    assert ["order.intended", "trade.booked"] == [event.data["kind"] for event in facts]


async def test_a_viewer_resumes_behind_the_last_event_it_saw(client: httpx2.AsyncClient, desk: PracticeDesk) -> None:
    whole = [fact.pos for fact in await desk.store.read(limit=1000)]

    seen = await take(client, "fact", len(whole) - 4, headers={"last-event-id": str(whole[3])})

    assert whole[4:] == [event.event_id for event in seen]


async def test_a_viewer_far_behind_the_ring_still_gets_every_fact(
    client: httpx2.AsyncClient, desk: PracticeDesk
) -> None:
    for _ in range(20):
        await asyncio.gather(*(desk.trade() for _ in range(60)))
    whole = [fact.pos for fact in await desk.store.read(limit=10_000)]
    assert len(whole) > KEPT

    seen = await take(client, "fact", len(whole), params={"after": "0"})

    assert whole == [event.event_id for event in seen]


async def test_writing_while_many_watch_shows_everybody_everything(
    client: httpx2.AsyncClient, desk: PracticeDesk
) -> None:
    start = await head(desk.store)
    watching = [asyncio.create_task(take(client, "fact", 400, params={"after": str(start)})) for _ in range(8)]
    for _ in range(200):
        await desk.trade()

    expected = list(range(start + 1, start + 401))
    assert [expected] * 8 == [[event.event_id for event in seen] for seen in await asyncio.gather(*watching)]


async def test_an_id_beyond_the_end_starts_at_the_end(client: httpx2.AsyncClient, desk: PracticeDesk) -> None:
    """A restored journal may end before what a viewer has seen."""
    end = await head(desk.store)

    (hello,) = await take(client, "hello", 1, headers={"last-event-id": "999999"})

    assert end == hello.event_id


async def test_the_page_gets_every_part_first_and_then_only_what_changed(
    client: httpx2.AsyncClient, desk: PracticeDesk
) -> None:
    async with client.stream("GET", "/api/live", params={"view": "page"}) as stream:
        reading = events(stream)
        first = await anext(reading)
        await desk.trade()
        parts: set[str] = set()
        while "fills" not in parts:
            parts |= set((await anext(reading)).data["parts"])

    assert {"verdict", "desks", "nodes", "leases", "orders", "fills", "health", "incidents", "system", "hour"} == set(
        first.data["parts"]
    )
    assert "to-3" in first.data["parts"]["orders"]
    assert not {"nodes", "leases", "verdict"} & parts


async def test_streams_end_with_a_jittered_word_on_when_to_come_back(
    client: httpx2.AsyncClient, console: ConsoleServer, desk: PracticeDesk
) -> None:
    async def last(view: str) -> Event:
        async with client.stream("GET", "/api/live", params={"view": view}) as stream:
            seen = [event async for event in events(stream)]
        return seen[-1]

    watching = [asyncio.create_task(last(view)) for view in ["facts", "page"] * 10]
    await _until_watched(client, 20)
    await console.leave(5)
    ends = await asyncio.gather(*watching)

    assert {"end"} == {event.name for event in ends}
    waits = [event.retry_ms or 0 for event in ends]
    assert len(set(waits)) > 1
    assert all(300 <= wait <= 1500 for wait in waits)


async def test_one_viewer_too_many_is_told_so(
    client: httpx2.AsyncClient, operations: PerpetualOperationsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trading_orchestrator.perpetual_operations.console.fact_feed import FactFeed

    monkeypatch.setattr(FactFeed, "viewers", operations.config.console.max_streams)
    answer = await client.get("/api/live")

    assert (503, "console.streams_full", "5") == (
        answer.status_code,
        answer.json()["code"],
        answer.headers["retry-after"],
    )


async def _until_watched(client: httpx2.AsyncClient, viewers: int) -> None:
    while True:
        parts = (await client.get("/api/dashboard/status")).json()["parts"]
        watched = sum(int(part["reason"].split()[0]) for part in parts if part["name"] in ("live_facts", "live_page"))
        if watched == viewers:
            return
