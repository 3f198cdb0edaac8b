"""Health for machines: health+json, what makes a process ready or dead, and progress as a probe of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from tests.unit.operations.empty_store import EmptyStore
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.config import HealthConfig, OperationsConfig
from trading_orchestrator.perpetual_operations.console.health_json import health_json
from trading_orchestrator.perpetual_operations.health.health_checker import HealthChecker, Kind
from trading_orchestrator.perpetual_operations.health.probes.progress import progress_probe
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.storage.ports import Fact, Fence, NewFact, Put


class Sink(EmptyStore):
    """Takes every fact and keeps none."""

    async def append(
        self, facts: Sequence[NewFact], *, node: str, fence: Fence | None, puts: Sequence[Put] = ()
    ) -> Sequence[Fact]:
        return []


def reads(state: HealthState, reason: str = "") -> Any:
    async def probe() -> Health:
        return Health(state, reason)

    return probe


def manager(tmp_path: Path) -> PerpetualOperationsManager:
    """One bad round is enough for it."""
    config = OperationsConfig(alerts=AlertsConfig(enabled=False), health=HealthConfig(fall_rounds=1))
    return PerpetualOperationsManager(config, store=Sink(), clock=VirtualClock(), data_dir=tmp_path)


async def asked(operations: PerpetualOperationsManager, path: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(app=operations.console_app())
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get(path)


async def test_a_report_follows_the_convention_and_keeps_our_words() -> None:
    checker = HealthChecker(VirtualClock(), interval_s=1, deadline_s=1)
    checker.add("database", reads(HealthState.UNHEALTHY, "it is locked"))
    checker.add("shop", reads(HealthState.HEALTHY, "sells"), depends_on=["database"])
    checker.add("mail", reads(HealthState.HEALTHY, "sends"), kind=Kind.PROGRESS)
    report = await checker.check()

    told = msgspec.json.decode(health_json(report, node="a", version="1.2"))

    (database,), (shop,), (mail,) = (told["checks"][name] for name in ("database", "shop", "mail"))
    assert ("fail", "1.2", "a", report.verdict) == (
        told["status"],
        told["releaseId"],
        told["serviceId"],
        told["output"],
    )
    assert ("fail", "it is locked", ["shop"]) == (database["status"], database["output"], database["affects"])
    assert ("warn", ["database"]) == (shop["status"], shop["becauseOf"])
    assert ("pass", "progress", None) == (mail["status"], mail["componentType"], mail.get("output"))
    assert "2023-11-14T22:13:20.000+00:00" == mail["time"]
    assert (["database"], "unhealthy") == (told["root_causes"], told["state"])
    assert ["database", "shop", "mail"] == [part["name"] for part in told["parts"]]


async def test_the_console_serves_it_with_its_own_media_type(tmp_path: Path) -> None:
    operations = manager(tmp_path)
    await operations.start()
    answer = await asked(operations, "/api/dashboard/health")
    await operations.stop()

    assert (200, "application/health+json") == (answer.status_code, answer.headers["content-type"])
    assert {"journal", "event_loop"} <= {*answer.json()["checks"]}


@pytest.mark.parametrize(("counts", "ready"), [(None, 503), (False, 200)])
async def test_only_what_readiness_depends_on_makes_us_unready(tmp_path: Path, counts: bool | None, ready: int) -> None:
    operations = manager(tmp_path)
    operations.add_dependency("venue", reads(HealthState.UNHEALTHY, "closed"), for_readiness=counts)
    await operations.start()
    await operations.health.check()
    answers = [(await asked(operations, path)).status_code for path in ("/readyz", "/livez")]
    verdict = operations.report.verdict
    await operations.stop()

    assert [ready, 200] == answers
    assert "dependency/venue is unhealthy: closed." == verdict


async def test_a_probe_of_liveness_that_fails_asks_for_our_end(tmp_path: Path) -> None:
    operations = manager(tmp_path)
    operations.add_probe("worker", reads(HealthState.UNHEALTHY, "beyond repair"), kind=Kind.LIVENESS)
    before = await asked(operations, "/livez")
    await operations.start()
    await operations.health.check()
    after = await asked(operations, "/livez")
    await operations.stop()

    assert (200, 503, "console.not_live") == (before.status_code, after.status_code, after.json()["code"])


async def test_before_the_first_round_nothing_is_ready(tmp_path: Path) -> None:
    assert 503 == (await asked(manager(tmp_path), "/readyz")).status_code


async def test_work_that_waits_and_does_not_move_is_stuck() -> None:
    clock, done, arrived = VirtualClock(), [0.0], [0.0]
    probe = progress_probe(lambda: done[0], lambda: arrived[0], within_s=10, clock=clock)
    seen = []
    for passes_s, does, comes in ((0, 0, 0), (3600, 0, 0), (0, 0, 5), (9, 0, 1), (2, 0, 0), (1, 1, 0), (60, 0, 0)):
        await clock.advance(passes_s)
        done[0], arrived[0] = done[0] + does, arrived[0] + comes
        seen.append((probe.health().state is HealthState.HEALTHY, probe.health().reason))

    assert [True, True, True, True, False, True, True] == [well for well, _ in seen]
    assert "nothing was done for 11 s while 6 arrived" == seen[4][1]


async def test_progress_is_registered_in_one_call_and_leaves_us_ready(tmp_path: Path) -> None:
    operations = manager(tmp_path)
    operations.add_progress("mails", lambda: 0, lambda: float(len(sent)), within_s=5)
    sent: list[str] = []
    await operations.start()
    sent.append("a")
    await operations.health.check()
    await operations.clock.sleep(0)
    assert isinstance(operations.clock, VirtualClock)
    await operations.clock.advance(6)
    report = await operations.health.check()
    await operations.stop()

    (part,) = (part for part in report.parts if part.name == "progress/mails")
    assert (HealthState.UNHEALTHY, "component.stuck", Kind.PROGRESS) == (part.state, part.failure, part.kind)
    assert report.is_ready
