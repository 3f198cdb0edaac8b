"""`alerts …` against a running program: seen, taken, silenced, tested, reloaded; and what needs nothing to run."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner

from tests.integration.alerts.program import program
from trading_orchestrator.cli.main import build
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import SystemClock

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
[users.ben]
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
    assert {"paper: logged"} == {one["answer"] for one in sent if one["outcome"] == "delivered"}
    assert "by paper" in await run("history", "--tries", at)


async def test_a_silence_may_end_with_what_it_covers_or_unused_and_act_in_windows_only(url: str) -> None:
    at = f"--url={url}"
    await fires(url)
    why = ["--reason=known", "--by=anna", at]
    names = [
        (await run("silence", "alertname=Down", *more, *why)).strip()
        for more in (
            [],
            ["--until-resolved"],
            ["--until-resolved", "--for=2h"],
            ["--unused=7d", "--during=saturday,sunday 02:00-04:00", "--during=23:00-24:00", "--zone=Europe/Berlin"],
        )
    ]
    shown = {one["silence_id"]: one for one in json.loads(await run("silences", "--json", at))}
    hour, resolved, both, weekly = [shown[name] for name in names]

    assert (False, 3600) == (hour["until_resolved"], round((hour["ends_at_ns"] - hour["starts_at_ns"]) / 1e9))
    assert (True, None) == (resolved["until_resolved"], resolved["ends_at_ns"])
    assert (True, 7200) == (both["until_resolved"], round((both["ends_at_ns"] - both["starts_at_ns"]) / 1e9))
    assert (None, 7 * 86_400) == (weekly["ends_at_ns"], weekly["unused_for_s"])
    assert [["saturday", "sunday"], []] == [window["weekdays"] for window in weekly["times"]]
    assert {"Europe/Berlin"} == {window["location"] for window in weekly["times"]}
    assert "resolved" in await run("silences", at)
    assert "funday" in await run("silence", "a=b", "--during=funday", *why, fails=True)
    async with httpx2.AsyncClient(base_url=url) as client:
        body = {"matchers": ["a=b"], "by": "anna", "reason": "x"}
        refused = await client.post("/api/alerts/silences", json=body)
        theirs = await client.get("/api/v2/silences")
    assert (True, 200) == (refused.is_client_error, theirs.status_code)
    assert "expected an end" in refused.json()["detail"]


async def test_a_script_answers_alerts_and_reads_what_came_of_it(url: str, tmp_path: Path) -> None:
    async def answer(*arguments: str) -> Any:
        return json.loads(await run(*arguments, "--json", "--by=anna", f"--url={url}"))

    await fires(url)
    name = (await one_of(url))["fingerprint"]
    assert {"fingerprint": name, "snoozed_by": "anna", "for_s": 60.0} == await answer("snooze", "Down", "--for=1m")
    assert {"fingerprint": name, "escalated_by": "anna"} == await answer("escalate", "Down")
    assert {"fingerprint": name, "acknowledged_by": "anna"} == await answer("ack", "Down")
    held = (await answer("maintenance", "begin", "--reason=disks"))["maintenance"]
    assert ("anna", "disks") == (held["by"], held["reason"])
    assert {"maintenance": None} == await answer("maintenance", "end")
    silence = (await answer("silence", "alertname=Down", "--reason=known"))["silence_id"]
    assert {"silence_id": silence} == await answer("expire", silence)
    override = (await answer("oncall", "override", "day", "ben", "--for=1h"))["override"]["override_id"]
    assert {"override_id": override} == await answer("oncall", "end", override)
    assert {"channel": "paper", "answer": "logged"} == await answer("test", "paper")
    assert ["desk"] == (await answer("reload"))["receivers"]
    assert {"fingerprint": name, "resolved_by": "anna"} == await answer("resolve", name)
    (tmp_path / "main.toml").write_text(f'[perpetual_operations.alerts]\npath = "{tmp_path}/alerts.toml"\n')
    tried = await run("routes", "test", "severity=critical", "--json", f"--config={tmp_path}/main.toml")
    assert ["desk"] == [one["receiver"] for one in json.loads(tried)["routes"]]


async def test_channels_and_people_are_asked_for(url: str) -> None:
    at = f"--url={url}"
    assert "paper answered: " in await run("test", "paper", at)
    assert "no limit" in await run("channels", at)
    paper, node = json.loads(await run("channels", "--json", at))
    assert ("paper", "log", "healthy", "closed", 1, "logged") == tuple(
        paper[key] for key in ("name", "kind", "state", "circuit", "sent_total", "last_answer")
    )
    assert (["desk"], ["anna", "ben"], None) == (paper["receivers"], paper["people"], paper["budget_left"])
    assert ("log", [], None) == (node["name"], node["receivers"], node["last_answer_at_ns"])
    assert "day: anna until " in await run("oncall", at)
    assert "no channel is named 'pager'" in await run("test", "pager", at, fails=True)
    assert "is named 'Nothing', none" in await run("ack", "Nothing", at, fails=True)
    assert "nobody answers at http://127.0.0.1:1" in await run("list", "--url=http://127.0.0.1:1", fails=True)


async def fires(url: str, **labels: str) -> None:
    async with httpx2.AsyncClient(base_url=url) as client:
        await client.post("/api/v2/alerts", json=[{"labels": {"alertname": "Down", "severity": "critical", **labels}}])


def days_ahead(days: int) -> str:
    return datetime.fromtimestamp(SystemClock().wall_ns() // 10**9 + days * 86_400, UTC).date().isoformat()


async def one_of(url: str) -> dict[str, Any]:
    """Return the alert that fires, as the API shows it."""
    (one,) = json.loads(await run("list", "--json", f"--url={url}"))["alerts"]
    return dict(one)


async def test_an_alert_can_be_taken_for_a_while_put_off_and_handed_on(url: str) -> None:
    at = f"--url={url}"
    await fires(url)
    assert "Down is taken by anna for 30m" in await run("ack", "Down", "--by=anna", "--for=30m", at)
    taken = (await one_of(url))["acknowledged"]
    assert ("anna", 1800.0) == (taken["by"], (taken["until_ns"] - taken["at_ns"]) / 1e9)
    assert "taken by anna" in await run("show", "Down", at)

    assert "nobody is called about Down for 2h" in await run("snooze", "Down", "--for=2h", "--by=anna", at)
    assert "snoozed by anna" in await run("list", at)
    shown = await run("show", "Down", at)
    assert "snoozed by anna" in shown
    assert "ladder first for desk: snoozed by anna until" in shown

    assert "the next rung is called about Down" in await run("escalate", "Down", "--by=anna", "--note=not me", at)
    one = await one_of(url)
    assert (None, None, "climbs") == (one["acknowledged"], one["snoozed"], one["ladders"][0]["state"])

    for wrong in ("ack", "snooze"):
        assert "expected a time such as 30m" in await run(wrong, "Down", "--for=soon", at, fails=True)
        assert "at most 366 days, was 0 s" in await run(wrong, "Down", "--for=0m", at, fails=True)


async def test_in_maintenance_no_ladder_is_climbed_until_its_end(url: str) -> None:
    at = f"--url={url}"
    assert "no maintenance goes on" in await run("maintenance", "show", at)
    assert "no maintenance goes on" in await run("maintenance", "end", at, fails=True)
    begun = await run("maintenance", "begin", "--for=2h", "--reason=new disks", "--by=anna", at)
    assert "no ladder is climbed (anna: new disks)" in begun
    await fires(url)
    assert begun in await run("list", at)
    assert "before its first rung, held by maintenance until" in await run("show", "Down", at)
    assert "maintenance goes on (by anna): end it" in await run("escalate", "Down", at, fails=True)

    assert "maintenance is over" in await run("maintenance", "end", "--by=anna", at)
    assert "rung 1, called: anna" in await run("show", "Down", at)
    said = await run("maintenance", "begin", "--reason= ", at, fails=True)
    assert "reason: expected why, was empty" == said


async def test_somebody_stands_in_on_a_schedule(url: str) -> None:
    at = f"--url={url}"
    night = (f"--from={days_ahead(3)}T18:00", f"--until={days_ahead(4)}T08:00")
    name = (await run("oncall", "override", "day", "ben", *night, "--instead-of=anna", "--by=anna", at)).strip()
    (one,) = json.loads(await run("oncall", "overrides", "--json", at))
    assert (name, "ben", "anna", 14 * 3600) == (
        one["override_id"], one["person"], one["instead_of"], (one["ends_at_ns"] - one["starts_at_ns"]) // 10**9
    )  # fmt: skip
    await run("oncall", "override", "day", "ben", "--for=8h", at)
    assert "day: anna, ben until" in await run("oncall", at)
    await run("oncall", "override", "day", "--instead-of=anna", "--for=8h", at)
    assert "day: ben until" in await run("oncall", at)
    assert "is over" in await run("oncall", "end", name, at)
    assert 2 == len(json.loads(await run("oncall", "overrides", "--json", at)))
    assert "instead of" in await run("oncall", "overrides", at)


KNOWN = "known: ['anna', 'ben']"
A_TIME = "expected a time such as 2026-11-23T09:00 by the clock of UTC"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dya", "ben", "--for=8h"), "no schedule is named 'dya'; known: ['day']"),
        (("day", "bne", "--for=8h"), f"override: person: nobody is named 'bne'; {KNOWN}"),
        (("day", "--for=8h"), f"override: person: nobody is named ''; {KNOWN}"),
        (("day", "ben", "--for=8h", "--instead-of=x"), f"override: instead_of: nobody is named 'x'; {KNOWN}"),
        (("day", "ben", "--until=tonight"), f"schedule day: until: {A_TIME}, was 'tonight'"),
        (("day", "ben", "--from=x", "--for=8h"), f"schedule day: from: {A_TIME}, was 'x'"),
        (("day", "ben", "--until=2020-01-01"), "override: expected an end after its begin and after now"),
        (("day", "ben", "--until=9000-01-01"), "override: expected an end within the next 366 days"),
        (("day", "ben"), "override: expected either `until` or how long"),
        (("day", "ben", "--for=8x"), "expected a time such as 30m, 2h or 1d, was '8x'"),
    ],
)
async def test_a_stand_in_that_cannot_be_is_refused_in_one_sentence(
    url: str, arguments: tuple[str, ...], said: str
) -> None:
    assert said == await run("oncall", "override", *arguments, f"--url={url}", fails=True)


async def test_who_is_on_call_is_known_without_any_ladder(tmp_path: Path) -> None:
    (tmp_path / "alerts.toml").write_text("""
default_rules = false
[channels.paper]
kind = "log"
[users.anna]
contacts = [{ channel = "paper" }]
[schedules.day]
rotations = [{ people = ["anna"], start = "2020-01-01T00:00" }]
""")
    async with program(tmp_path / "data", {"path": str(tmp_path / "alerts.toml")}) as (url, _):
        at = f"--url={url}"
        assert "day: anna until " in await run("oncall", at)
        await run("oncall", "override", "day", "--instead-of=anna", "--for=8h", at)
        assert "day: nobody until " in await run("oncall", at)
        await fires(url)
        said = await run("snooze", "Down", at, fails=True)
        assert (
            "nobody is called about Down now: no ladder is climbed; `alerts silence` keeps its messages quiet" == said
        )
        said = await run("maintenance", "begin", "--reason=new disks", at, fails=True)
        assert "no ladder is configured: there is nothing to hold" == said


async def test_a_reload_is_told_and_a_wrong_one_too(url: str, tmp_path: Path) -> None:
    at = f"--url={url}"
    (tmp_path / "alerts.toml").write_text(FILE)
    assert f"1 receiver from {tmp_path}/alerts.toml" in await run("reload", at)
    (tmp_path / "alerts.toml").write_text(FILE.replace('["paper"]', '["papre"]'))
    said = await run("reload", at, fails=True)
    assert f"{tmp_path}/alerts.toml: line 7: receivers.desk.channels: nothing under [channels]" in said
    assert "paper answered: " in await run("test", "paper", at)


async def test_a_config_is_checked_where_nothing_runs(tmp_path: Path) -> None:
    (tmp_path / "alerts.toml").write_text("default_rules = false\n" + FILE)
    main = tmp_path / "main.toml"
    main.write_text(f'[perpetual_operations.alerts]\npath = "{tmp_path}/alerts.toml"\n')
    assert "well: 0 rules, 1 receiver, 1 channel" in await run("rules", "check", f"--config={main}")
    assert "desk, by the root route" in await run("routes", "test", "severity=critical", f"--config={main}")
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
