"""/api/operations/…: the outlook is there from the first second, says what it does not know, and never fails."""

from __future__ import annotations

import httpx2
import pytest

from tests.integration.operations.conftest import PracticeDesk
from trading_orchestrator.perpetual_operations.console.server import ConsoleServer
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.perpetual_operations.monitoring.analytics.analyst import Anomaly

pytestmark = pytest.mark.integration
ANOMALY = Anomaly(
    1, "loop_lag_s@b", 0.5, 0.001, 0.9, "jump", "loop_lag_s@b is unusual (jump): 0.5, usually about 0.001"
)


async def test_before_anything_was_measured_it_promises_nothing(
    console: ConsoleServer, desk: PracticeDesk, client: httpx2.AsyncClient
) -> None:
    answer = (await client.get("/api/operations/outlook")).json()

    assert answer["sentence"].startswith("Not measured yet")
    assert (False, 0, 0) == (answer["capacity"]["sure"], answer["capacity"]["desks"]["more"], len(answer["forecasts"]))
    assert answer["capacity"] == (await client.get("/api/operations/capacity")).json()


async def test_anomalies_come_newest_first_and_as_many_as_asked_for(
    console: ConsoleServer, desk: PracticeDesk, client: httpx2.AsyncClient, operations: PerpetualOperationsManager
) -> None:
    operations.insights().analyst.anomalies = (ANOMALY, *[ANOMALY] * 3)

    answer = (await client.get("/api/operations/anomalies", params={"limit": 2})).json()
    refused = await client.get("/api/operations/anomalies", params={"limit": 0})

    assert [ANOMALY.sentence] * 2 == [each["sentence"] for each in answer["anomalies"]]
    assert 422 == refused.status_code


@pytest.mark.parametrize("what", ["forecasts", "hints"])
async def test_what_is_not_there_is_an_empty_list(
    console: ConsoleServer, desk: PracticeDesk, client: httpx2.AsyncClient, what: str
) -> None:
    answer = await client.get(f"/api/operations/{what}")

    assert (200, {what}) == (answer.status_code, set(answer.json()))
    assert [] == [each for each in answer.json()[what] if each.get("code") != "hint.hot_probe"]  # a busy host is one
