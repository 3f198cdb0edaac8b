"""An alert manager in a process of its own: `alerting_process.py JOURNAL HOLD_DIR URL MAIL_PORT MODE DEED...`.

Takes the lease from a dead predecessor, runs, does the deeds (`fire`, `resolve`, `ack`) one after the other, each once
what was told before has arrived (`ack`: once a call has failed), and says on standard output what it has done: started,
accepted DEED, settled. MODE `hook` or `sms` calls Ann besides, by that channel.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.faultpoint import HoldingFaultPoint
from trading_orchestrator.perpetual_operations.alerts.alert import Posted
from trading_orchestrator.perpetual_operations.alerts.alert_manager import AlertManager
from trading_orchestrator.perpetual_operations.alerts.calls import Calls
from trading_orchestrator.perpetual_operations.alerts.channels.apprise.config import AppriseConfig
from trading_orchestrator.perpetual_operations.alerts.channels.email.config import EmailConfig
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.webhook.config import WebhookConfig
from trading_orchestrator.perpetual_operations.alerts.config import AlertingConfig, ReceiverConfig, RouteConfig
from trading_orchestrator.perpetual_operations.alerts.escalation.escalator import Escalator
from trading_orchestrator.perpetual_operations.alerts.escalation.policy import Contact, EscalationPolicy, Step
from trading_orchestrator.perpetual_operations.alerts.labels import fingerprint
from trading_orchestrator.perpetual_operations.alerts.policy import policy_of
from trading_orchestrator.perpetual_operations.alerts.switchboard import Switchboard
from trading_orchestrator.storage.ports import Fence
from trading_orchestrator.storage.sqlite import open_store

LEASE = "ops/alerts"
SMS = f"twilio://AC{'0' * 32}:{'f' * 32}@15550100000/15550100001"
LABELS = {"alertname": "Down", "host": "a", "severity": "critical"}
LADDER = EscalationPolicy(steps=(Step(delay_s=600, targets=("ann",)),))
ROUTE = RouteConfig(receiver="r", group_by=("alertname",), group_wait=0.05, group_interval=0.1, repeat_interval=3600)


async def run(journal: Path, hold_dir: Path, url: str, mail_port: int, mode: str, deeds: list[str]) -> None:
    receivers = {"r": ReceiverConfig(escalation=None if mode == "plain" else "duty")}
    policy = policy_of(AlertingConfig(route=ROUTE, receivers=receivers, hold_after_start=0.01))
    escalator = Escalator(LADDER, {"ann": (Contact(channel=mode),)}, policies={"duty": LADDER})
    clock = SystemClock()
    store = await open_store(journal, clock=clock)
    lease = await store.claim_lease(LEASE, holder="n", ttl_s=600, predecessor_dead=True)
    mail = EmailConfig(host="127.0.0.1", port=mail_port, tls="none", sender="a@b.xyz", to=("c@d.xyz",))
    sms = AppriseConfig(url=SMS, gateway_url=url.replace("/hook", "/gate"))
    board = Switchboard(
        {"hook": "webhook", "mail": "email", "sms": "apprise"},
        {"hook": WebhookConfig(url=url), "mail": mail, "sms": sms},
        Opening(clock, str),
    )
    manager = AlertManager(
        store,
        clock,
        policy,
        node="n",
        fence=Fence(LEASE, lease.epoch),
        channels={"r": board.ways(["hook", "mail"])},
        calls=None if mode == "plain" else Calls(escalator, receivers),
        contacts={f"ann/{mode}": board.ways(["hook" if mode == "plain" else mode])},
        fault=HoldingFaultPoint(hold_dir),
    )
    running = asyncio.ensure_future(manager.run())
    await manager.started.wait()
    print("started", flush=True)
    for deed in deeds:
        await do(deed, manager, clock)
        print(f"accepted {deed}", flush=True)
    await settled(manager, clock)
    print("settled", flush=True)
    await running


async def do(deed: str, manager: AlertManager, clock: SystemClock) -> None:
    """Do it when it is its turn."""
    if deed == "ack":
        await called(manager, clock)
        await manager.acknowledge(fingerprint(LABELS), by="ann")
        return
    await settled(manager, clock)
    ends_at_ns = clock.wall_ns() if deed == "resolve" else None
    await manager.receive([Posted(labels=LABELS, ends_at_ns=ends_at_ns)])


async def called(manager: AlertManager, clock: SystemClock) -> None:
    """Return once a call has failed, or there is none to wait for any more."""
    calls = manager.calls
    assert calls is not None
    while not calls.escalator.state.open or any(not one.tries for one in calls.outbox.values()):
        await clock.sleep(0.01)


async def settled(manager: AlertManager, clock: SystemClock) -> None:
    """Return once nothing is on its way, and nothing that has ended is untold."""
    while True:
        state = manager.state
        now_ns = manager.now_ns()
        firing = {name for name, alert in state.alerts.items() if not alert.is_resolved(now_ns)}
        told = {name for one in state.told.values() for name in one.firing}
        is_called = manager.calls is None or not manager.calls.outbox
        if not state.outbox and firing == told and is_called:
            return
        await clock.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5], sys.argv[6:]))
