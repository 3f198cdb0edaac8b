"""The health graph reaches the running manager: what stands on a broken part is held back, and told when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.integration.alerts.test_the_alert_manager_tells_once_and_forgets_nothing import Mailbox
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.perpetual_operations.alerts.alert import Posted
from trading_orchestrator.perpetual_operations.alerts.alert_manager import AlertManager
from trading_orchestrator.perpetual_operations.alerts.config import AlertingConfig, ReceiverConfig, RouteConfig
from trading_orchestrator.perpetual_operations.alerts.policy import policy_of
from trading_orchestrator.perpetual_operations.alerts.root_cause import RootCauseConfig
from trading_orchestrator.storage.ports import Fence
from trading_orchestrator.storage.sqlite import open_store

pytestmark = pytest.mark.integration
POLICY = policy_of(
    AlertingConfig(
        route=RouteConfig(receiver="r", group_by=("...",), group_wait=1, group_interval=2, repeat_interval=600),
        receivers={"r": ReceiverConfig()},
        root_cause=RootCauseConfig(),
    )
)
BROKEN = Posted(labels={"alertname": "Down", "part": "journal", "severity": "critical"})
SLOW = Posted(labels={"alertname": "Slow", "part": "desk"})


async def test_the_graph_is_asked_in_each_turn(tmp_path: Path) -> None:
    clock, mailbox = VirtualClock(), Mailbox()
    store = await open_store(tmp_path / "journal.db", clock=clock, inline=True)
    lease = await store.claim_lease("operations", holder="n", ttl_s=3.0)
    graph: dict[str, Sequence[str]] = {"desk": ["journal"]}

    def depends_on() -> Mapping[str, Sequence[str]]:
        return dict(graph)

    manager = AlertManager(
        store, clock, POLICY, node="n", fence=Fence("operations", lease.epoch), channels={"r": mailbox},
        depends_on=depends_on,
    )  # fmt: skip
    running = asyncio.ensure_future(manager.run())
    await clock.advance(0.001)
    try:
        asking = asyncio.ensure_future(manager.receive([BROKEN, SLOW]))
        for _ in range(50):
            await clock.advance(0.1)
        await asking
        assert ["Down"] == told(mailbox)

        graph.clear()
        for _ in range(50):
            await clock.advance(0.1)
        assert ["Down", "Slow"] == told(mailbox)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await store.close()


def told(mailbox: Mailbox) -> list[str]:
    return [alert.labels["alertname"] for letter in mailbox.letters for alert in letter.message.alerts]
