"""What programs ask of alerts over HTTP, from groups to heartbeats; and silences that others may change.

Others: speakers of Alertmanager's language, who change silences of ours.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.alerts.program import program
from trading_orchestrator.perpetual_operations.alerts.history import HISTORY
from trading_orchestrator.perpetual_operations.alerts.runtime import AlertsRuntime
from trading_orchestrator.storage.ports import FactStore, NewFact, Put

pytestmark = pytest.mark.integration
ALERTS = {
    "route": {
        "receiver": "desk",
        "group_by": ["alertname"],
        "group_wait": 0,
        "routes": [{"receiver": "pager", "matchers": ['severity="critical"']}],
    },
    "receivers": {"desk": {}, "pager": {}},
    "rules": [{"kind": "heartbeat", "name": "BackupSilent", "monitor": "backup", "timeout": 3600.0}],
}
WINDOWS = [{"weekdays": ["saturday"], "times": [{"start_time": "02:00", "end_time": "04:00"}], "location": "UTC"}]
WEEKLY = {"matchers": ['alertname="Down"'], "by": "anna", "reason": "backups", "times": WINDOWS, "for_s": 86_400.0}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[str, AlertsRuntime]]:
    async with program(tmp_path / "data", ALERTS) as found:
        yield found


@pytest.fixture
async def client(served: tuple[str, AlertsRuntime]) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=served[0]) as one:
        yield one


@pytest.fixture
def store(served: tuple[str, AlertsRuntime]) -> FactStore:
    return served[1]._store


async def fires(client: httpx2.AsyncClient, **labels: str) -> None:
    taken = await client.post("/api/v2/alerts", json=[{"labels": {"alertname": "Down", **labels}}])
    assert 200 == taken.status_code


async def got(client: httpx2.AsyncClient, path: str, body: object = None) -> Any:
    """Return the answer as JSON; it must be one."""
    answer = await (client.get(path) if body is None else client.post(path, json=body))
    assert 200 == answer.status_code, answer.text
    return answer.json()


async def test_what_programs_ask_for_is_answered(client: httpx2.AsyncClient) -> None:
    await fires(client, host="a")
    await fires(client, host="b")
    await fires(client, host="c", severity="critical")

    groups = await got(client, "/api/v2/alerts/groups?filter=host!=b")
    assert [("desk", {"alertname": "Down"}, ["a"]), ("pager", {"alertname": "Down"}, ["c"])] == sorted(
        (one["receiver"]["name"], one["labels"], [alert["labels"]["host"] for alert in one["alerts"]]) for one in groups
    )
    assert [{"name": "desk"}, {"name": "pager"}] == await got(client, "/api/v2/receivers")
    tried = await got(client, "/api/alerts/routes/test", {"labels": {"severity": "critical"}})
    assert (["pager"], [["alertname"]]) == (tried["receivers"], [one["group_by"] for one in tried["routes"]])
    rules = await got(client, "/api/alerts/rules")
    assert [("BackupSilent", "backup")] == [(one["name"], one["monitor"]) for one in rules["rules"]]
    assert {"monitor": "backup"} == await got(client, "/api/heartbeats/backup", {})
    unknown = await client.post("/api/heartbeats/backups")
    assert (409, "alerts.monitor_unknown") == (unknown.status_code, unknown.json()["code"])

    (name,) = [one["fingerprint"] for one in (await got(client, "/api/alerts"))["alerts"] if one["severity"]]
    await got(client, f"/api/alerts/{name}/resolve", {"by": "anna", "note": "a cable"})
    assert ["a", "b"] == sorted(one["labels"]["host"] for one in await got(client, "/api/v2/alerts"))
    await fires(client, host="c", severity="critical")  # an episode is over at the latest when the next one begins
    (over,) = (await got(client, "/api/alerts/episodes"))["episodes"]
    assert ("c", "anna", "a cable") == (over["labels"]["host"], over["acknowledged_by"], over["note"])


@pytest.mark.parametrize("cursor", ["before", "next"])
async def test_the_history_of_messages_has_no_gap_between_its_pages(
    client: httpx2.AsyncClient, store: FactStore, cursor: str
) -> None:
    for pair in range(5):
        lines = [Put(HISTORY, f"m-{2 * pair + more}", {"no": 2 * pair + more}) for more in (0, 1)]
        await store.append([NewFact("config", "config.tried", {})], node="a", fence=None, puts=lines)
    found: list[int] = []
    more: dict[str, int] | None = {}
    while more is not None:
        page = (await client.get("/api/alerts/history", params={"limit": 3, **more})).json()
        found += [line["no"] for line in page["messages"]]
        more = {cursor: page["next"]} if page["next"] else None

    assert [8, 9, 6, 7, 4, 5, 2, 3, 0, 1] == found


@pytest.mark.parametrize("path", ["alerts", "alerts/groups", "silences"])
async def test_a_filter_that_cannot_be_read_is_refused_in_their_form(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(f"/api/v2/{path}?filter=a-b=c")

    assert (400, "application/json") == (answer.status_code, answer.headers["content-type"])
    assert "a-b" in answer.json()


async def ours(client: httpx2.AsyncClient, silence_id: str) -> dict[str, Any]:
    found = (await got(client, "/api/alerts/silences"))["silences"]
    return next(one for one in found if one["silence_id"] == silence_id)


async def edited(client: httpx2.AsyncClient, silence_id: str, **changes: object) -> str:
    """Change a silence as amtool and Grafana do: they send back what they were shown of it."""
    shown = await got(client, f"/api/v2/silence/{silence_id}")
    keys = ("id", "matchers", "startsAt", "endsAt", "createdBy", "comment")
    answer = await got(client, "/api/v2/silences", {**{key: shown[key] for key in keys}, **changes})
    return str(answer["silenceID"])


async def test_a_silence_with_windows_keeps_them_whoever_changes_its_end(client: httpx2.AsyncClient) -> None:
    name = (await got(client, "/api/alerts/silences", {**WEEKLY, "unused_for_s": 3600.0}))["silence_id"]
    same = await edited(client, name, endsAt="2031-01-01T00:00:00.000Z", comment="longer")
    kept = await ours(client, same)

    assert (name, "longer", WINDOWS[0]["weekdays"]) == (same, kept["comment"], kept["times"][0]["weekdays"])
    assert 3600.0 == kept["unused_for_s"]


async def test_a_silence_that_is_followed_by_another_hands_its_windows_on(client: httpx2.AsyncClient) -> None:
    await fires(client, host="a")
    body = {**WEEKLY, "until_resolved": True}
    name = (await got(client, "/api/alerts/silences", body))["silence_id"]
    before = await ours(client, name)
    wider = [{"name": "alertname", "value": "Down|Slow", "isRegex": True}]
    other = await edited(client, name, matchers=wider)
    after = await ours(client, other)

    assert name != other
    assert (before["times"], True) == (after["times"], after["until_resolved"])


@pytest.mark.parametrize("for_s", [86_400.0 * 4_000_000, 0.0, -5.0])
async def test_a_silence_lasts_for_a_time_that_can_be_written_down(client: httpx2.AsyncClient, for_s: float) -> None:
    await fires(client, host="a")
    answer = await client.post("/api/alerts/silences", json={**WEEKLY, "for_s": for_s, "until_resolved": True})

    assert (409, "alerts.span_refused") == (answer.status_code, answer.json()["code"])
    assert [] == await got(client, "/api/v2/silences")
