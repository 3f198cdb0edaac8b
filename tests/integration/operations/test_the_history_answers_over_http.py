"""What was measured is asked for over HTTP and drawn on the page, also that of a node that is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.perpetual_operations import enable_perpetual_operations
from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig
from trading_orchestrator.perpetual_operations.monitoring.history.pending import Ticks
from trading_orchestrator.perpetual_operations.monitoring.history.writer import HistoryWriter

CLOCK = SystemClock()
SECOND_NS = 1_000_000_000
MINUTES = 45


@pytest.fixture
def minute_ns() -> int:
    """The whole minute that began at least a minute ago."""
    return (CLOCK.wall_ns() // (60 * SECOND_NS) - 1) * 60 * SECOND_NS


@pytest.fixture
async def client(tmp_path: Path, minute_ns: int) -> AsyncIterator[httpx2.AsyncClient]:
    """A program with operations, and in its history three quarters of an hour of a node that is gone."""
    dead = HistoryWriter(tmp_path / "metrics.db", "dead-1", HistoryConfig())
    names = ("host_cpu_ratio", "host_memory_ratio", "loop_lag_s")
    times = [minute_ns - number * 60 * SECOND_NS for number in range(MINUTES)]
    dead.write([Ticks(names, times, [(0.25, 0.5 + number / 1000, 0.002) for number in range(MINUTES)])])
    dead.close()
    app = FastAPI()
    await enable_perpetual_operations({"data_dir": tmp_path}, app)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as http:
        yield http
    await app.state.perpetual_operations.stop()


async def test_series_of_a_dead_node_are_listed(client: httpx2.AsyncClient, minute_ns: int) -> None:
    listed = (await client.get("/api/metrics/series")).json()["series"]

    assert ["host_cpu_ratio@dead-1", "host_memory_ratio@dead-1", "loop_lag_s@dead-1"] == [
        line["series"] for line in listed
    ]
    assert {"name": "host_cpu_ratio", "node": "dead-1", "last_ns": minute_ns}.items() <= listed[0].items()


async def test_a_range_is_drawn_together_with_its_extremes(client: httpx2.AsyncClient, minute_ns: int) -> None:
    end = minute_ns // SECOND_NS + 60
    asked: dict[str, str | int] = {"series": "host_memory_ratio", "start": end - 3600, "end": end, "points": 60}

    found = (await client.get("/api/metrics/range", params=asked)).json()

    assert (60 * SECOND_NS, MINUTES) == (found["width_ns"], len(found["at_ns"]))
    assert [(500 + number) / 1000 for number in range(MINUTES)] == found["max"][::-1] == found["min"][::-1]
    assert minute_ns == found["at_ns"][-1]


async def test_without_start_and_end_it_is_the_last_hour(client: httpx2.AsyncClient) -> None:
    found = (await client.get("/api/metrics/range", params={"series": "host_cpu_ratio@dead-1"})).json()

    assert (MINUTES, 3600) == (sum(found["count"]), round((found["end_ns"] - found["start_ns"]) / SECOND_NS, -2))


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"series": "x", "start": 10, "end": 5}, 409, "history.range_refused"),
        ({"series": "x", "points": 0}, 422, "request.invalid"),
        ({}, 422, "request.invalid"),
        ({"series": "x", "end": 1e30}, 422, "request.invalid"),
    ],
)
async def test_a_question_that_makes_no_sense_is_answered_by_a_problem(
    client: httpx2.AsyncClient, asked: dict[str, float], status: int, code: str
) -> None:
    answer = await client.get("/api/metrics/range", params=asked)

    assert (status, code) == (answer.status_code, answer.json()["code"])


async def test_the_page_draws_the_last_hour(client: httpx2.AsyncClient) -> None:
    page = ""
    async with asyncio.timeout(20):
        while "sparkline" not in page:  # the page never waits for the history: the first look only asks for it
            page = (await client.get("/dashboard")).text
            await asyncio.sleep(0.05)

    assert 3 == page.count('class="sparkline"')
    assert "CPU over the last hour, now 25%" in page


async def test_switched_off_nothing_is_written_or_offered(tmp_path: Path) -> None:
    app = FastAPI()
    await enable_perpetual_operations({"data_dir": tmp_path, "history": {"enabled": False}}, app)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as http:
        assert 404 == (await http.get("/api/metrics/series")).status_code
        assert 200 == (await http.get("/dashboard")).status_code
    await app.state.perpetual_operations.stop()

    assert not (tmp_path / "metrics.db").exists()
