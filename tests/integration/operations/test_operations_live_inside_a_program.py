"""`enable_perpetual_operations` joins a FastAPI program, disturbs nothing of it, and leaves with it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.config import ConfigRefused
from trading_orchestrator.perpetual_operations import enable_perpetual_operations
from trading_orchestrator.perpetual_operations.embedding.routes import RoutesTaken
from trading_orchestrator.perpetual_operations.enable import AlreadyEnabled
from trading_orchestrator.storage.sqlite import SqliteStore

Enable = Callable[[FastAPI], Awaitable[bool]]

CONSOLE_OWN = 'href="api/docs"'
"""What no page of the program has. The verdict is the machine's too: a suite that keeps every core busy changes it."""


def program(enable: Enable | None = None) -> FastAPI:
    """Return somebody's app, that enables operations in its lifespan when told to."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.log = ["starts"]
        if enable is not None:
            app.state.enabled = await enable(app)
        yield
        app.state.log.append("ends")

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def hello() -> dict[str, str]:
        return {"hello": "world"}

    @app.get("/api/items/{number}")
    async def item(number: int) -> int:
        return number

    return app


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[tuple[httpx2.AsyncClient, uvicorn.Server]]:
    """Serve the app with uvicorn, as its author would, on this loop."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with asyncio.timeout(20):
            while not server.started:
                assert not serving.done(), serving
                await asyncio.wait((serving,), timeout=0.01)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx2.AsyncClient(base_url=url, timeout=10) as client:
            yield client, server
        server.should_exit = True
        await serving


ON_A_BUSY_HOST: dict[str, Any] = {
    "resources": {"enabled": False},
    "health": {"loop_lag_degraded_s": 20.0, "loop_lag_unhealthy_s": 30.0},
}
"""A suite that keeps every core busy is no trouble of the program under test."""


@pytest.fixture
def enable(tmp_path: Path) -> Enable:
    async def with_data(app: FastAPI) -> bool:
        config = {"data_dir": tmp_path / "data", **ON_A_BUSY_HOST}
        return await enable_perpetual_operations(app_config=config, fastapi_app=app)

    return with_data


async def nothing_left() -> set[str]:
    """Return the names of tasks besides the test's own, after the loop had time to end them."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=5)
    return {task.get_name() for task in others if not task.done()}


async def test_inside_the_lifespan_it_serves_and_ends_with_it(enable: Enable, tmp_path: Path) -> None:
    app = program(enable)
    async with served(app) as (client, _):
        ready = await client.get("/readyz")
        page = await client.get("/dashboard")
        own = await client.get("/")

    assert app.state.enabled is True
    assert 200 == ready.status_code
    assert ready.json()["verdict"].endswith(".")
    assert (200, {"hello": "world"}) == (own.status_code, own.json())
    assert CONSOLE_OWN in page.text
    assert ["starts", "ends"] == app.state.log
    assert set() == await nothing_left()
    assert (tmp_path / "data" / "journal.db").exists()
    assert [] == own_threads()


async def test_before_the_server_starts_it_serves_and_ends_with_the_lifespan(enable: Enable) -> None:
    app = program()

    assert await enable(app) is True
    async with served(app) as (client, _):
        assert 200 == (await client.get("/readyz")).status_code

    assert ["starts", "ends"] == app.state.log
    assert not app.state.perpetual_operations.is_running
    assert set() == await nothing_left()


async def test_the_programs_own_routes_and_documents_stay_as_they_were(enable: Enable) -> None:
    async with served(program()) as (client, _):
        before = [(await client.get(path)).text for path in ("/openapi.json", "/docs", "/api/items/7", "/nowhere")]
    async with served(program(enable)) as (client, _):
        after = [(await client.get(path)).text for path in ("/openapi.json", "/docs", "/api/items/7", "/nowhere")]
        own = await client.get("/", headers={"host": "shop.example"})
        ours = await client.get("/dashboard", headers={"host": "shop.example"})

    assert before == after
    assert (200, 421) == (own.status_code, ours.status_code)


@pytest.mark.parametrize("prefix", ["", "/ops"])
async def test_a_container_is_probed_and_called_by_names_of_its_own(tmp_path: Path, prefix: str) -> None:
    """A kubelet asks by the pod's address, Prometheus by whatever it was told, a neighbour by the service's name."""
    settings = {
        "data_dir": str(tmp_path / "ours"),
        "console": {"path_prefix": prefix, "allowed_hosts": ["Ops.example"]},
    }
    app = program(lambda app: enable_perpetual_operations(app_config=settings, fastapi_app=app))
    asked = [("10.4.0.7:8000", "/readyz"), ("shop.prod.svc", "/livez"), ("shop.prod.svc", "/metrics"),
             ("shop:8000", "/dashboard"), ("ops.example", "/dashboard"), ("shop.prod.svc", "/dashboard")]  # fmt: skip
    async with served(app) as (client, _):
        said = [(await client.get(f"{prefix}{path}", headers={"host": host})).status_code for host, path in asked]

    assert [200, 200, 200, 200, 200, 421] == said


async def test_an_open_stream_does_not_hold_up_the_programs_end(enable: Enable) -> None:
    app = program(enable)
    async with served(app) as (client, server), client.stream("GET", "/api/live?view=page") as stream:
        lines = stream.aiter_lines()
        await anext(lines)
        server.should_exit = True
        rest = [line async for line in lines]

    assert ["event: end", "data: {}", ""] == rest[-3:]
    assert set() == await nothing_left()


async def test_under_a_prefix_the_page_and_its_files_are_found(tmp_path: Path) -> None:
    async def under_ops(app: FastAPI) -> bool:
        config = {"data_dir": tmp_path, "console": {"path_prefix": "/ops"}}
        return await enable_perpetual_operations(app_config=config, fastapi_app=app)

    async with served(program(under_ops)) as (client, _):
        page = await client.get("/ops/dashboard")
        style = await client.get("/ops/dashboard/static/dashboard.css")
        root = await client.get("/ops/")
        lost = await client.get("/ops/nowhere")
        elsewhere = await client.get("/dashboard")

    assert (200, 200, 404) == (page.status_code, style.status_code, elsewhere.status_code)
    assert (307, "/ops/dashboard") == (root.status_code, root.headers["location"])
    assert "listed at /ops/api/docs" in lost.json()["detail"]


async def test_a_path_of_the_programs_own_is_a_conflict_with_a_way_out(enable: Enable, tmp_path: Path) -> None:
    app = program()

    @app.get("/metrics")
    async def metrics() -> str:
        return "theirs"

    with pytest.raises(RoutesTaken) as refused:
        await enable(app)

    assert "the app answers /metrics itself" in refused.value.message
    assert "path_prefix" in refused.value.message
    assert set() == await nothing_left()
    assert await enable_perpetual_operations({"data_dir": tmp_path, "console": {"path_prefix": "/ops"}}, app) is True
    await app.state.perpetual_operations.stop()


async def test_a_catch_all_of_the_program_does_not_hide_the_console(enable: Enable, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("their single page")
    app = program()
    app.mount("/", StaticFiles(directory=tmp_path, html=True))

    await enable(app)
    async with served(app) as (client, _):
        assert CONSOLE_OWN in (await client.get("/dashboard")).text
        assert "their single page" == (await client.get("/index.html")).text


async def test_enabling_twice_is_an_error_that_says_so(enable: Enable) -> None:
    app = program()
    await enable(app)

    with pytest.raises(AlreadyEnabled, match="enabled on this app already"):
        await enable(app)

    await app.state.perpetual_operations.stop()
    assert set() == await nothing_left()


@pytest.mark.parametrize(
    ("app_config", "key"),
    [({"monitoring": {"interval": 1}}, "monitoring.interval"), ({"perpetual_operations": {"x": 1}}, "x")],
)
async def test_wrong_settings_stop_the_program_and_leave_nothing(
    app_config: dict[str, Any], key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigRefused, match=key):
        await enable_perpetual_operations(app_config=app_config, fastapi_app=program())

    assert [] == list(tmp_path.iterdir())
    assert set() == await nothing_left()


async def test_an_unusable_data_directory_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(Refused, match="choose another data directory"):
        await enable_perpetual_operations({"data_dir": str(tmp_path / "file" / "data")}, program())


async def test_no_app_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="fastapi_app: expected the FastAPI app"):
        await enable_perpetual_operations({"data_dir": str(tmp_path)})


async def test_without_settings_the_data_lies_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = program()

    assert await enable_perpetual_operations(None, app) is True

    assert (tmp_path / "data" / "journal.db").exists()
    await app.state.perpetual_operations.stop()


async def test_a_store_that_was_handed_in_is_used_and_not_closed(store: SqliteStore, tmp_path: Path) -> None:
    app = program()

    await enable_perpetual_operations({"data_dir": str(tmp_path / "unused")}, app, store=store)
    await app.state.perpetual_operations.stop()

    assert await store.heads() is not None  # it is open still
    assert not (tmp_path / "unused").exists()


async def test_the_program_can_register_probes_of_its_own(enable: Enable) -> None:
    async def queue_is_full() -> Health:
        return Health(HealthState.UNHEALTHY, "10000 jobs wait")

    async def workers() -> Health:
        return Health(HealthState.UNHEALTHY, "idle")

    app = program(enable)
    async with served(app) as (client, _):
        operations = app.state.perpetual_operations
        operations.add_probe("queue", queue_is_full, deadline_s=0.5, depends_on=["journal"])
        operations.add_probe("workers", workers, depends_on=["queue"])
        for _ in range(operations.config.health.fall_rounds):
            await operations.health.check()
        ready = await client.get("/readyz")

    assert 503 == ready.status_code
    detail = ready.json()["detail"]
    assert "queue is unhealthy: 10000 jobs wait" in detail
    assert "affects workers" in detail


async def test_a_loop_that_ends_without_a_lifespan_still_ends_the_operations(tmp_path: Path) -> None:
    """`asyncio.run` cancels whatever is left: the journal must be closed all the same."""

    async def forgets_to_stop() -> None:
        await enable_perpetual_operations({"data_dir": str(tmp_path / "data")}, program())
        assert own_threads()

    await asyncio.to_thread(asyncio.run, forgets_to_stop())

    assert [] == threads_that_stay()


def own_threads() -> list[str]:
    """Return the names of the threads that a journal and a monitor keep."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("journal", "system-monitor"))]


def threads_that_stay() -> list[str]:
    """Return those that live on; a pool's thread that was told to end needs a moment to do so."""
    for thread in threading.enumerate():
        if thread.name in own_threads():
            thread.join(timeout=2.0)
    return own_threads()
