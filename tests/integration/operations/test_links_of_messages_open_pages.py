"""Where messages lead: runbooks, incidents' reports and charts are pages of the console, under its strict policy."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.perpetual_operations import enable_perpetual_operations
from trading_orchestrator.perpetual_operations.incidents.incident import PROJECTION, Entry, Incident
from trading_orchestrator.perpetual_operations.incidents.incident_log import LEASES
from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig
from trading_orchestrator.perpetual_operations.monitoring.history.pending import Ticks
from trading_orchestrator.perpetual_operations.monitoring.history.writer import HistoryWriter
from trading_orchestrator.storage.ports import Fence, NewFact, Put
from trading_orchestrator.storage.sqlite import open_store

CLOCK = SystemClock()
MINUTE_NS = 60_000_000_000
SAID = "broke <script>alert(1)</script> [here](https://evil.example) ![x](https://evil.example/x.png)"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """A program with operations, one incident in its journal, and minutes of a dead node in its history."""
    now_ns = CLOCK.wall_ns()
    store = await open_store(tmp_path / "journal.db", clock=CLOCK)
    broken = Incident(
        incident_id="01JINCIDENT", node="dead-1", part="venue", failure="hang", reason=SAID, opened_ns=now_ns,
        last_well_ns=now_ns - MINUTE_NS, timeline=(Entry(now_ns, "detected: venue"),),
    )  # fmt: skip
    noted = NewFact("ops/incidents", "incident.noted", {"at_ns": now_ns, "incident_id": "01JINCIDENT", "note": "x"})
    lease = await store.claim_lease(f"{LEASES}dead", holder="dead-1", ttl_s=60)
    fence = Fence(lease.name, lease.epoch)
    await store.append([noted], node="dead-1", fence=fence, puts=[Put(PROJECTION, broken.incident_id, broken)])
    await store.close()
    dead = HistoryWriter(tmp_path / "metrics.db", "dead-1", HistoryConfig())
    names = ("loop_lag_s", 'trading_stream_age_seconds{feed="a"}', 'trading_stream_age_seconds{feed="b"}')
    times = [now_ns // MINUTE_NS * MINUTE_NS - number * MINUTE_NS for number in range(5, 0, -1)]
    dead.write([Ticks(names, times, [(number / 4 - 0.25, 7.0, 8.0) for number in range(5)])])
    dead.close()
    app = FastAPI()
    await enable_perpetual_operations({"data_dir": tmp_path}, app)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as http:
        yield http
    await app.state.perpetual_operations.stop()


async def page(client: httpx2.AsyncClient, path: str) -> str:
    """Return a page that was served under the policy of the console and needs nothing that the policy forbids."""
    answer = await client.get(path)
    assert (200, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert [] == re.findall(r"<script|<style|<img(?! src=\"[./]*dashboard/)|\sstyle=|\son[a-z]+=", answer.text)
    return answer.text


@pytest.mark.parametrize("name", ["disk-full", "disk-full.md"])
async def test_a_runbook_is_a_page(client: httpx2.AsyncClient, name: str) -> None:
    shown = await page(client, f"/runbooks/{name}")

    assert "<h1>DiskFull</h1>" in shown
    assert "<h2>Look first</h2>" in shown
    assert "<code>du -x</code>" in shown
    assert "<title>DiskFull</title>" in shown


@pytest.mark.parametrize("name", ["nobody-wrote-it", "..README", "DISK-FULL", "disk-full.md.md"])
async def test_what_is_no_runbook_is_not_found(client: httpx2.AsyncClient, name: str) -> None:
    answer = await client.get(f"/runbooks/{name}")

    assert (404, "application/problem+json") == (answer.status_code, answer.headers["content-type"])


async def test_an_incident_has_its_report_and_what_others_said_stays_text(client: httpx2.AsyncClient) -> None:
    shown = await page(client, "/incidents/01JINCIDENT")

    assert "<h1>venue: hang</h1>" in shown
    assert "<h2>Impact on orders and money</h2>" in shown
    assert "<td>60.000</td>" in shown
    assert "&lt;script&gt;" in shown
    assert 'href="https://evil.example' not in shown
    assert "01JINCIDENT" in await page(client, "/incidents/01JINC")


async def test_incidents_are_listed_with_the_way_to_each_report(client: httpx2.AsyncClient) -> None:
    assert '<a href="incidents/01JINCIDENT">report</a>' in await page(client, "/incidents")
    assert '<a href="incidents/01JINCIDENT">report</a>' in await page(client, "/incidents?part=venue")
    assert "None yet." in await page(client, "/incidents?part=disk")


async def test_an_incident_that_is_unknown_is_a_problem(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/incidents/02NOBODY")

    assert (404, "incidents.unknown") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("series", ["loop_lag_s", "trading_loop_lag_seconds", "loop_lag_s@dead-1"])
async def test_a_metric_is_drawn_under_its_name_in_history_and_in_metrics(
    client: httpx2.AsyncClient, series: str
) -> None:
    shown = await page(client, f"/charts?series={series}&node=dead-1")

    assert 1 == shown.count("<polyline")
    assert ["−0.25", "0.75", "0.75"] == re.findall(r"<dd>([^<]*)</dd>", shown)


async def test_every_series_of_a_metric_is_drawn(client: httpx2.AsyncClient) -> None:
    shown = await page(client, "/charts?series=trading_stream_age_seconds&hours=2")

    assert ['feed="a"', 'feed="b"'] == re.findall(r'<code>\w+{(feed="\w")}@dead-1</code>', shown)


@pytest.mark.parametrize("asked", ["series=nobody_measures_it", "series=loop_lag_s&node=elsewhere"])
async def test_a_chart_without_a_sample_says_so(client: httpx2.AsyncClient, asked: str) -> None:
    shown = await page(client, f"/charts?{asked}")

    assert "Nothing was recorded of" in shown
    assert "<polyline" not in shown


async def test_a_chart_of_nothing_is_refused(client: httpx2.AsyncClient) -> None:
    assert [422, 422] == [(await client.get(f"/charts{asked}")).status_code for asked in ("", "?series=a&hours=0")]
