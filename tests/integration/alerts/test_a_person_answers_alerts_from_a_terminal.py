"""`alerts …` against a running program: seen, taken, silenced, tested, reloaded; and what needs nothing to run."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from tests.integration.alerts.program import program
from trading_orchestrator.cli.main import build
from trading_orchestrator.errors import OrchestratorError

pytestmark = pytest.mark.integration
PROMTOOL = shutil.which("promtool")
FILE = """
[route]
receiver = "desk"
group_by = ["alertname"]
group_wait = 0
[receivers.desk]
channels = ["paper"]
escalation = "first"
[channels.paper]
kind = "log"
[escalations.first]
steps = [{ delay_s = 600, targets = ["schedule:day"] }]
[users.anna]
contacts = [{ channel = "paper" }]
[schedules.day]
rotations = [{ people = ["anna"], start = "2020-01-01T00:00" }]
"""


async def run(*arguments: str, fails: bool = False) -> str:
    """Return what the command prints, or says when it is to fail. In this process: a start takes most of a second."""
    done = await asyncio.to_thread(CliRunner().invoke, build(), ["alerts", *arguments])
    assert fails is (done.exit_code != 0), (done.output, done.exception)
    return done.exception.message if isinstance(done.exception, OrchestratorError) else done.output


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    (tmp_path / "alerts.toml").write_text("default_rules = false\n" + FILE)
    alerts = {"path": str(tmp_path / "alerts.toml")}
    async with program(tmp_path / "data", alerts) as (address, _):
        yield address


async def test_a_person_sees_takes_silences_and_resolves(url: str) -> None:
    at = f"--url={url}"
    labels = {"alertname": "Down", "severity": "critical", "host": "a"}
    async with httpx2.AsyncClient(base_url=url) as client:
        await client.post("/api/v2/alerts", json=[{"labels": labels, "annotations": {"runbook": "disk-full"}}])
    listed = json.loads(await run("list", "--json", at))["alerts"]
    assert [("Down", "critical", ["desk"])] == [(one["name"], one["severity"], one["receivers"]) for one in listed]
    assert "Down is taken by anna" in await run("ack", "Down", "--by=anna", "--note=on it", at)
    shown = await run("show", listed[0]["fingerprint"][:6], at)
    assert "taken by anna" in shown
    assert "runbooks/disk-full.md" in shown
    name = (await run("silence", "alertname=Down", "--reason=known", "--for=5m", "--by=anna", at)).strip()
    assert name in await run("silences", at)
    assert "is over" in await run("expire", name, at)
    assert "resolved by anna" in await run("resolve", "Down", "--by=anna", at)
    assert "nothing fires" in await run("list", at)
    sent = json.loads(await run("history", "--json", at))
    assert {("desk", "firing"), ("anna by paper", "call")} <= {(one["receiver"], one["status"]) for one in sent}
    assert {"delivered"} == {one["outcome"] for one in sent if one["status"] != "resolved"}


async def test_channels_and_people_are_asked_for(url: str) -> None:
    at = f"--url={url}"
    assert "paper answered: " in await run("test", "paper", at)
    assert "day: anna until " in await run("oncall", at)
    assert "no channel is named 'pager'" in await run("test", "pager", at, fails=True)
    assert "is named 'Nothing', none" in await run("ack", "Nothing", at, fails=True)
    assert "nobody answers at http://127.0.0.1:1" in await run("list", "--url=http://127.0.0.1:1", fails=True)


async def test_a_reload_is_told_and_a_wrong_one_too(url: str, tmp_path: Path) -> None:
    at = f"--url={url}"
    (tmp_path / "alerts.toml").write_text(FILE)
    assert f"receivers from {tmp_path}/alerts.toml" in await run("reload", at)
    (tmp_path / "alerts.toml").write_text(FILE.replace('["paper"]', '["papre"]'))
    said = await run("reload", at, fails=True)
    assert f"{tmp_path}/alerts.toml: line 7: receivers.desk.channels: nothing under [channels]" in said
    assert "paper answered: " in await run("test", "paper", at)


async def test_a_config_is_checked_where_nothing_runs(tmp_path: Path) -> None:
    (tmp_path / "alerts.toml").write_text("default_rules = false\n" + FILE)
    main = tmp_path / "main.toml"
    main.write_text(f'[perpetual_operations.alerts]\npath = "{tmp_path}/alerts.toml"\n')
    assert "0 rules, 1 receivers and 1 channels are well" in await run("rules", "check", f"--config={main}")
    assert "desk  ({})" in await run("routes", "test", "severity=critical", f"--config={main}")
    (tmp_path / "alerts.toml").write_text(FILE.replace('receiver = "desk"', 'receiver = "dask"'))
    said = await run("rules", "check", f"--config={main}", fails=True)
    assert "alerts.toml: line 3: route.receiver: nothing under [receivers] is named 'dask'" in said


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing: apt-get install prometheus")
async def test_the_shipped_rules_are_rules_to_prometheus_too(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(await run("rules", "export"))
    assert PROMTOOL is not None
    process = await asyncio.create_subprocess_exec(
        PROMTOOL, "check", "rules", str(tmp_path / "rules.yml"), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()

    assert (0, True) == (process.returncode, b"SUCCESS: 24 rules found" in out)
