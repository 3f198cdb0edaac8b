"""Debian's own amtool and Prometheus against our /api/v2: they must not notice that we are no Alertmanager."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.alerts.program import program

pytestmark = pytest.mark.integration
AMTOOL, PROMETHEUS = shutil.which("amtool"), shutil.which("prometheus")
ALERTMANAGER = shutil.which("prometheus-alertmanager")
needs_alertmanager = pytest.mark.skipif(
    ALERTMANAGER is None, reason="alertmanager is missing: apt-get install prometheus-alertmanager"
)
needs_amtool = pytest.mark.skipif(AMTOOL is None, reason="amtool is missing: apt-get install prometheus-alertmanager")
needs_prometheus = pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is missing: apt-get install prometheus")
ALERTS = {
    "route": {
        "receiver": "desk",
        "group_by": ["alertname"],
        "group_wait": 0,
        "routes": [{"receiver": "pager", "matchers": ['severity="critical"'], "mute_time_intervals": ["lunch"]}],
    },
    "receivers": {"desk": {}, "pager": {"send_resolved": False}},
    "inhibit_rules": [
        {"source_matchers": ['severity="critical"'], "target_matchers": ['severity="warning"'], "equal": ["host"]}
    ],
    "time_intervals": {"lunch": [{"times": [{"start_time": "12:00", "end_time": "12:01"}]}]},
}


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with program(tmp_path / "data", ALERTS) as (address, _):
        yield address


async def amtool(url: str, *arguments: str) -> str:
    """Return what amtool prints; it must exit with 0."""
    assert AMTOOL is not None
    process = await asyncio.create_subprocess_exec(
        AMTOOL,
        f"--alertmanager.url={url}",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 20)
    assert 0 == process.returncode, (out.decode(), err.decode())
    return out.decode()


async def firing(url: str, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(await amtool(url, "-o", "json", "alert", "query", *arguments))
    return sorted(found, key=lambda one: one["labels"]["alertname"])


@needs_amtool
async def test_an_alert_that_amtool_adds_is_queried_filtered_and_ended(url: str) -> None:
    await amtool(url, "alert", "add", "Down", "host=a", "severity=warning", '--annotation=summary="it is down"')
    await amtool(url, "alert", "add", "Slow", "host=b", "severity=warning")

    assert ["Down", "Slow"] == [one["labels"]["alertname"] for one in await firing(url)]
    assert ["Slow"] == [one["labels"]["alertname"] for one in await firing(url, "host=~b|c")]
    assert ["desk"] == [one["name"] for one in (await firing(url, "Down"))[0]["receivers"]]
    await amtool(url, "alert", "add", "Down", "host=a", "severity=warning", "--end=2020-01-01T00:00:01Z",
                 "--start=2020-01-01T00:00:00Z")  # fmt: skip
    assert ["Slow"] == [one["labels"]["alertname"] for one in await firing(url, "--receiver=desk")]


@needs_amtool
async def test_a_source_inhibits_its_target_and_amtool_sees_it(url: str) -> None:
    await amtool(url, "alert", "add", "Dead", "host=a", "severity=critical")
    await amtool(url, "alert", "add", "Late", "host=a", "severity=warning")
    source, target = await firing(url, "--inhibited", "--active")

    assert [source["fingerprint"]] == target["status"]["inhibitedBy"]
    assert "suppressed" == target["status"]["state"]
    assert ["Dead"] == [one["labels"]["alertname"] for one in await firing(url, "--active")]


@needs_amtool
async def test_a_silence_is_added_queried_updated_and_expired(url: str) -> None:
    await amtool(url, "alert", "add", "Down", "host=a")
    name = (
        await amtool(url, "silence", "add", "alertname=Down", "--comment=known", "--author=anna", "--duration=1h")
    ).strip()

    listed = json.loads(await amtool(url, "-o", "json", "silence", "query"))
    assert [(name, "anna", "known", "active")] == [
        (one["id"], one["createdBy"], one["comment"], one["status"]["state"]) for one in listed
    ]
    assert [] == await firing(url)
    assert [[name]] == [one["status"]["silencedBy"] for one in await firing(url, "--silenced")]
    await amtool(url, "silence", "update", "--duration=2h", "--comment=longer", name)
    await amtool(url, "silence", "expire", name)
    assert [] == json.loads(await amtool(url, "-o", "json", "silence", "query"))
    assert [name] == [one["id"] for one in json.loads(await amtool(url, "-o", "json", "silence", "query", "--expired"))]
    assert ["Down"] == [one["labels"]["alertname"] for one in await firing(url)]


@needs_amtool
async def test_amtool_reads_our_routes_as_its_own(url: str) -> None:
    assert "pager" == (await amtool(url, "config", "routes", "test", "severity=critical")).strip()
    assert "desk" == (await amtool(url, "config", "routes", "test", "severity=info")).strip()
    assert 'severity="critical"' in await amtool(url, "config", "routes", "show")


@needs_prometheus
async def test_an_alert_of_a_real_prometheus_arrives(url: str, tmp_path: Path) -> None:
    port = _free_port()
    (tmp_path / "rules.yml").write_text(
        'groups: [{name: g, rules: [{alert: Always, expr: "vector(7) > 1", labels: {severity: critical}}]}]'
    )
    (tmp_path / "prometheus.yml").write_text(
        "global: {evaluation_interval: 1s}\n"
        f"rule_files: [{tmp_path}/rules.yml]\n"
        f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{url.removeprefix('http://')}']}}]}}]}}\n"
    )
    assert PROMETHEUS is not None
    process = await asyncio.create_subprocess_exec(
        PROMETHEUS,
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=1s",  # the first one goes nowhere: its receivers are discovered seconds later
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        found = await _first_alerts(httpx2.AsyncClient(base_url=url))
    finally:
        process.terminate()
        await process.wait()

    assert {"alertname": "Always", "severity": "critical"} == found[0]["labels"]
    assert ["pager"] == [one["name"] for one in found[0]["receivers"]]
    assert f":{port}/graph" in found[0]["generatorURL"]


@needs_alertmanager
async def test_what_we_tell_goes_on_to_a_real_alertmanager(tmp_path: Path) -> None:
    port = _free_port()
    (tmp_path / "peer.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    assert ALERTMANAGER is not None
    process = await asyncio.create_subprocess_exec(
        ALERTMANAGER,
        f"--config.file={tmp_path}/peer.yml",
        f"--storage.path={tmp_path}/peer",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    peer = f"http://127.0.0.1:{port}"
    alerts = {
        "route": {"receiver": "on", "group_by": ["alertname"], "group_wait": 0, "group_interval": 1},
        "receivers": {"on": {"channels": ["peer"]}},
        "channels": {"peer": {"kind": "alertmanager", "url": peer}},
    }
    down = [{"labels": {"alertname": "Down", "severity": "critical"}, "annotations": {"summary": "down"}}]
    try:
        async with program(tmp_path / "data", alerts) as (url, runtime), httpx2.AsyncClient() as client:
            await client.post(f"{url}/api/v2/alerts", json=down)
            found = await _first_alerts(httpx2.AsyncClient(base_url=peer))
            await runtime.manager.resolve(found[0]["fingerprint"])
            left = await _until_none(httpx2.AsyncClient(base_url=peer))
    finally:
        process.terminate()
        await process.wait()

    assert ({"alertname": "Down", "severity": "critical"}, "down") == (
        found[0]["labels"],
        found[0]["annotations"]["summary"],
    )
    assert [] == left


async def test_what_is_wrong_is_refused_in_their_form(url: str) -> None:
    async with httpx2.AsyncClient(base_url=url) as client:
        wrong = await client.post("/api/v2/alerts", json=[{"labels": {"a-b": "x"}}])
        form = await client.post("/api/v2/alerts", content=b"[]", headers={"content-type": "text/plain"})
        nobody = await client.get("/api/v2/silence/none")

    assert (400, 400, 404) == (wrong.status_code, form.status_code, nobody.status_code)
    assert "names of letters" in wrong.json()


async def _first_alerts(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    return await _until(client, bool)


async def _until_none(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    return await _until(client, lambda found: not found)


async def _until(client: httpx2.AsyncClient, is_right: Callable[[list[Any]], bool]) -> list[dict[str, Any]]:
    """Return the alerts there once they are right, and close the client."""
    async with client:
        for _ in range(400):
            try:
                found: list[dict[str, Any]] = (await client.get("/api/v2/alerts")).json()
            except httpx2.ConnectError:
                found = []
            if is_right(found):
                return found
            await asyncio.sleep(0.1)  # another program's evaluation cannot be awaited
    raise TimeoutError("in 40 s the alerts there were not right")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_every_route_of_alerts_is_described_with_its_errors(url: str) -> None:
    async with httpx2.AsyncClient(base_url=url) as client:
        paths = (await client.get("/api/openapi.json")).json()["paths"]
    ours = {path: methods for path, methods in paths.items() if path.startswith(("/api/alerts", "/api/v2"))}

    assert len(ours) >= 15
    assert [] == [path for path, methods in ours.items() for said in methods.values() if not said.get("summary")]
    assert [] == [
        path for path, methods in ours.items() for said in methods.values() if "default" not in said["responses"]
    ]
    commands = {path: said["post"] for path, said in ours.items() if "post" in said}
    assert [] == [path for path, said in commands.items() if "requestBody" not in said]
