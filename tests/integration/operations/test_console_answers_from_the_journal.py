"""Every route answers over a real socket from what the journal holds, and errors say what to do."""

from __future__ import annotations

import re

import httpx2
import pytest

from tests.integration.operations.conftest import PracticeDesk
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.storage.ports import Head, NewFact, Put, StorageUnavailable
from trading_orchestrator.storage.sqlite import SqliteStore

pytestmark = pytest.mark.usefixtures("console", "desk")
PAGES = ["/dashboard", "/api/docs"]
JSON = [
    "/livez", "/readyz", "/api/dashboard/overview", "/api/dashboard/status", "/api/desks",
    "/api/orders", "/api/positions", "/api/trades", "/api/facts", "/api/openapi.json",
]  # fmt: skip
FILES = ["/dashboard/static/dashboard.js", "/dashboard/static/dashboard.css", "/dashboard/static/icon.svg"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        *[(path, "text/html") for path in PAGES],
        *[(path, "application/json") for path in JSON],
        ("/api/dashboard/health", "application/health+json"),
        ("/metrics", "text/plain"),
        *zip(FILES, ["text/javascript", "text/css", "image/svg+xml"], strict=True),
    ],
)
async def test_every_route_answers_under_a_strict_policy(client: httpx2.AsyncClient, path: str, kind: str) -> None:
    answer = await client.get(path)

    assert (200, kind) == (answer.status_code, answer.headers["content-type"].partition(";")[0])
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "nosniff" == answer.headers["x-content-type-options"]
    assert "server" not in answer.headers


@pytest.mark.parametrize("path", [*PAGES, *FILES])
async def test_a_page_needs_no_other_host_and_no_inline_script(client: httpx2.AsyncClient, path: str) -> None:
    text = (await client.get(path)).text.replace("http://www.w3.org/2000/svg", "").replace(str(client.base_url), "")

    assert [] == re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", text)
    assert [] == re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", text)


async def test_orders_come_newest_first_and_by_pages(client: httpx2.AsyncClient) -> None:
    first = (await client.get("/api/orders", params={"limit": 2})).json()
    second = (await client.get("/api/orders", params={"limit": 2, "before": first["next"]})).json()

    assert ["to-3", "to-2", "to-1"] == [order["cl_ord_id"] for order in first["orders"] + second["orders"]]
    assert {"FILLED"} == {order["ord_status"] for order in first["orders"]}
    assert second["next"] is None
    assert "record" not in first["orders"][0]


@pytest.mark.parametrize("cursor", ["before", "next"])
@pytest.mark.parametrize("path", ["orders", "trades", "positions"])
async def test_rows_of_one_write_are_on_one_page_and_none_is_skipped(
    client: httpx2.AsyncClient, desk: PracticeDesk, path: str, cursor: str
) -> None:
    for pair in range(10):
        puts = [Put(path, f"x-{2 * pair + more}", {"no": 2 * pair + more}) for more in (0, 1)]
        fact = NewFact("desk/practice", "order.intended", {"no": pair})
        await desk.store.append([fact], node="a", fence=desk.fence, puts=puts)
    found: list[int] = []
    more: dict[str, int] | None = {}
    while more is not None:
        page = (await client.get(f"/api/{path}", params={"limit": 3, **more})).json()
        found += [row["no"] for row in page[path] if "no" in row]
        more = {cursor: page["next"]} if page["next"] else None

    assert sorted(range(20), key=lambda no: (-(no // 2), f"x-{no}")) == found


async def test_facts_come_by_stream_and_by_pages(client: httpx2.AsyncClient) -> None:
    first = (await client.get("/api/facts", params={"stream": "desk/practice", "limit": 4})).json()
    rest = (await client.get("/api/facts", params={"stream": "desk/practice", "before": first["next"]})).json()

    assert [6, 5, 4, 3, 2, 1] == [fact["seq"] for fact in first["facts"] + rest["facts"]]
    assert "trade.booked" == first["facts"][0]["kind"]
    assert "to-3" == first["facts"][0]["body"]["cl_ord_id"]
    assert 64 == len(first["facts"][0]["hash"])


async def test_the_overview_is_read_from_the_journal_alone(client: httpx2.AsyncClient) -> None:
    seen = (await client.get("/api/dashboard/overview")).json()

    assert "All well: node a trades desk practice, node b stands by." == seen["verdict"]["sentence"]
    assert [("a", ["desk/practice"]), ("b", ["console"])] == [(node["node"], node["holds"]) for node in seen["nodes"]]
    held = {lease["lease"]: (lease["holder"], lease["state"], lease["took_ms"]) for lease in seen["leases"]}
    assert {"desk/practice": ("a", "held", 12.5), "console": ("b", "held", 0.0)} == held
    assert ("b", 3, 3) == (seen["served_by"], len(seen["orders"]), len(seen["trades"]))


async def test_the_page_is_complete_without_javascript(client: httpx2.AsyncClient) -> None:
    page = (await client.get("/dashboard")).text

    assert "All well: node a trades desk practice, node b stands by." in page
    assert "−0.16" in page  # three buys at one price cost their fees: 0.165
    assert all(order in page for order in ("to-1", "to-2", "to-3"))
    assert page.index('aria-live="polite"') < page.index("EUR/USDT")


async def test_metrics_name_the_process_and_count_answers_by_route(client: httpx2.AsyncClient) -> None:
    await client.get("/api/orders")
    await client.get("/nowhere/at/all")

    said = (await client.get("/metrics")).text

    assert 'trading_api_answers_total{method="GET",node="b",route="/api/orders",status="200"} 1.0' in said
    assert 'trading_api_answers_total{method="GET",node="b",route="unmatched",status="404"} 1.0' in said
    assert "trading_process_resident_bytes " in said
    assert 'trading_health_up{node="b",part="journal"} 1.0' in said


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "says"),
    [
        ("GET", "/api/order", 404, "request.not_found", "listed at /api/docs"),
        ("GET", "/dashboard/static/../../x", 404, "request.not_found", "nothing at"),
        ("POST", "/api/orders", 405, "request.method", "GET is"),
        ("GET", "/api/orders?limit=0", 422, "request.invalid", "limit: Input should be greater than or equal to 1"),
        ("GET", "/api/orders?before=x", 422, "request.invalid", "before: "),
        (
            "GET",
            "/api/orders?befor=7",
            422,
            "request.invalid",
            "befor: this route knows no such key; did you mean `",
        ),
        ("GET", "/api/desks?limit=7", 422, "request.invalid", "limit: this route knows no such key; it takes none"),
        ("GET", "/api/live?view=all", 422, "request.invalid", "view: "),
    ],
)
async def test_errors_are_problem_objects(
    client: httpx2.AsyncClient, method: str, path: str, status: int, code: str, says: str
) -> None:
    answer = await client.request(method, path)

    assert (status, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert (status, code) == (answer.json()["status"], answer.json()["code"])
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost", "10.4.0.7:8000", "[::1]:8000", "[fd00::7]", "testserver", "console:8000"]
)
async def test_an_address_or_a_name_that_nobody_else_can_own_is_answered(client: httpx2.AsyncClient, host: str) -> None:
    assert 200 == (await client.get("/api/orders", headers={"host": host})).status_code


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_probes_and_prometheus_are_answered_under_any_name(client: httpx2.AsyncClient, path: str) -> None:
    assert 421 != (await client.get(path, headers={"host": "trader.prod.svc.cluster.local:8000"})).status_code


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example:8000", "evil.", "[evil.example]", "[evil]"],
)
async def test_a_foreign_host_name_is_refused(client: httpx2.AsyncClient, host: str) -> None:
    answer = await client.get("/api/orders", headers={"host": host})

    assert (421, "request.host") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000"])
async def test_loopback_names_are_served(client: httpx2.AsyncClient, host: str) -> None:
    assert 200 == (await client.get("/livez", headers={"host": host})).status_code


async def test_a_journal_that_cannot_be_read_is_told_and_unready(
    client: httpx2.AsyncClient,
    operations: PerpetualOperationsManager,
    store: SqliteStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def full(*args: object, **kwargs: object) -> list[Head]:
        raise StorageUnavailable("journal journal.db: it is locked", retry_after_s=0.1)

    monkeypatch.setattr(store, "rows", full)
    monkeypatch.setattr(store, "heads", full)
    orders = await client.get("/api/orders")
    for _ in range(operations.config.health.fall_rounds):
        await operations.health.check()
    ready = await client.get("/readyz")

    assert (503, "storage.unavailable", "1") == (
        orders.status_code,
        orders.json()["code"],
        orders.headers["retry-after"],
    )
    assert (503, "console.not_ready") == (ready.status_code, ready.json()["code"])
    told = "journal is unhealthy: it cannot be used: journal journal.db: it is locked (affects "
    assert told in ready.json()["detail"]
    assert 200 == (await client.get("/livez")).status_code


async def test_a_bug_becomes_a_problem_and_leaves_its_trace_in_the_log(
    client: httpx2.AsyncClient, store: SqliteStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def bug(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(store, "read_before", bug)
    answer = await client.get("/api/facts")

    assert (500, "request.failed") == (answer.status_code, answer.json()["code"])
    assert "division" not in answer.text
    assert ["GET /api/facts failed"] == [record.message for record in caplog.records if record.levelname == "ERROR"]


async def test_static_files_are_not_sent_twice(client: httpx2.AsyncClient) -> None:
    first = await client.get("/dashboard/static/dashboard.css")
    again = await client.get("/dashboard/static/dashboard.css", headers={"if-none-match": first.headers["etag"]})

    assert (304, b"") == (again.status_code, again.content)


async def test_the_root_leads_to_the_dashboard(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/")

    assert (307, "/dashboard") == (answer.status_code, answer.headers["location"])


async def test_the_description_knows_problems_and_media_types(client: httpx2.AsyncClient) -> None:
    paths = (await client.get("/api/openapi.json")).json()["paths"]

    read = {path: methods["get"] for path, methods in paths.items() if "get" in methods}
    answers = {path: set(said["responses"]["200"]["content"]) for path, said in read.items()}
    assert {"text/html"} == answers["/dashboard"]
    assert {"text/plain"} == answers["/metrics"]
    assert "text/event-stream" in answers["/api/live"]
    every = [said for methods in paths.values() for said in methods.values()]
    assert all("default" in said["responses"] for said in every)
    assert all("422" not in said["responses"] for said in every)
