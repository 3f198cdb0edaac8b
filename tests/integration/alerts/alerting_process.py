"""An alert manager in a process of its own: `alerting_process.py JOURNAL HOLD_DIR URL MAIL_PORT MODE DEED...`.

Takes the lease from a dead predecessor, runs, does the deeds one after the other, each once what was told before has
arrived, and says on standard output what it has done: started, accepted DEED, settled.

MODE `hook` or `sms` calls Ann besides, by that channel, `open` by one that keeps a call open. `one` has no second
channel. In `storm` each of the alerts has a group, and together they are a digest. In `rules` a rule looks at the file
`hot` in HOLD_DIR, and `heat` and `cool` make and remove it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.faultpoint import HoldingFaultPoint
from trading_orchestrator.perpetual_operations.alerts import engine
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
from trading_orchestrator.perpetual_operations.alerts.readings import Reading
from trading_orchestrator.perpetual_operations.alerts.rules.config import RulesConfig, books_of
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.threshold import ThresholdRule
from trading_orchestrator.perpetual_operations.alerts.rules_rider import RulesRider
from trading_orchestrator.perpetual_operations.alerts.silence import Silence
from trading_orchestrator.perpetual_operations.alerts.storm import StormConfig
from trading_orchestrator.perpetual_operations.alerts.switchboard import Switchboard
from trading_orchestrator.perpetual_operations.alerts.watching import Watching
from trading_orchestrator.storage.ports import Fence
from trading_orchestrator.storage.sqlite import open_store

LEASE = "ops/alerts"
SMS = f"twilio://AC{'0' * 32}:{'f' * 32}@15550100000/15550100001"
LABELS = {"alertname": "Down", "host": "a", "severity": "critical"}
LADDER = EscalationPolicy(steps=(Step(delay_s=600, targets=("ann",)),))
CALLING = {"hook": "hook", "sms": "sms", "open": "hook"}
HOT = ThresholdRule(name="Down", metric="heat", threshold=90, severity="critical")
STORM = StormConfig(messages=2, gather=0.05)
ALERTS_OF_A_STORM = 8


async def run(journal: Path, hold_dir: Path, url: str, mail_port: int, mode: str, deeds: list[str]) -> None:
    by = CALLING.get(mode)
    receivers = {"r": ReceiverConfig(escalation=None if by is None else "duty")}
    policy = policy_of(
        AlertingConfig(
            route=route_of(mode),
            receivers=receivers,
            hold_after_start=0.01,
            storm=STORM if mode == "storm" else None,
        )
    )
    escalator = Escalator(LADDER, {"ann": (Contact(channel=by or "hook"),)}, policies={"duty": LADDER})
    rules = RulesRider(books_of(RulesConfig(watch=(HOT,) if mode == "rules" else ())))
    engine.SWEEP_EVERY_NS = 300_000_000
    clock = SystemClock()
    store = await open_store(journal, clock=clock)
    lease = await store.claim_lease(LEASE, holder="n", ttl_s=600)
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
        channels={"r": board.ways(["hook"] if mode == "one" else ["hook", "mail"])},
        calls=None if by is None else Calls(escalator, receivers, kept_open=["hook"] if mode == "open" else []),
        contacts={f"ann/{by}": board.ways([by])} if by is not None else {},
        riders=[rules],
        fault=HoldingFaultPoint(hold_dir),
    )
    running: asyncio.Future[Any] = asyncio.ensure_future(manager.run())
    await manager.started.wait()
    print("started", flush=True)
    hot = hold_dir / "hot"
    if mode == "rules":

        async def read() -> Sequence[Reading]:
            return [("heat", {"host": "a"}, 99.0 if hot.exists() else 1.0)]

        watching = Watching(rules.books, store, clock, read=read, interval_s=0.05)
        running = asyncio.gather(running, watching.run(manager))
    for deed in deeds:
        await do(deed, manager, clock, hot)
        print(f"accepted {deed}", flush=True)
    await settled(manager, clock)
    print("settled", flush=True)
    await running


def route_of(mode: str) -> RouteConfig:
    """Return the tree, which has one route."""
    by = ("host",) if mode == "storm" else ("alertname",)
    return RouteConfig(receiver="r", group_by=by, group_wait=0.05, group_interval=0.1, repeat_interval=3600)


async def do(deed: str, manager: AlertManager, clock: SystemClock, hot: Path) -> None:
    """Do it when it is its turn."""
    if deed == "ack":
        await called(manager, clock)
        await manager.acknowledge(fingerprint(LABELS), by="ann")
        return
    await settled(manager, clock)
    match deed:
        case "fire":
            await manager.receive([Posted(labels=LABELS)])
        case "resolve":
            await manager.receive([Posted(labels=LABELS, ends_at_ns=clock.wall_ns())])
        case "blip":
            await manager.receive([Posted(labels=LABELS)])
            await manager.receive([Posted(labels=LABELS, ends_at_ns=clock.wall_ns())])
        case "storm":
            several = [{**LABELS, "host": f"h{number}", "severity": "info"} for number in range(ALERTS_OF_A_STORM)]
            await manager.receive([Posted(labels=labels) for labels in several])
        case "silence":
            await silence(manager)
        case "sweep":
            await until(lambda: not manager.state.alerts, clock)
        case "heat":
            hot.touch()
            await until(lambda: bool(firing(manager)), clock)
        case "cool":
            hot.unlink(missing_ok=True)
            await until(lambda: not firing(manager), clock)
        case _:
            raise ValueError(deed)


async def silence(manager: AlertManager) -> None:
    """Keep everything quiet for an hour, unless a predecessor did."""
    now_ns = manager.wall_ns()
    one = Silence(
        silence_id="s",
        matchers=("alertname=Down",),
        starts_at_ns=now_ns,
        ends_at_ns=now_ns + 3600 * 10**9,
        created_by="ann",
        comment="works on it",
    )
    if one.silence_id not in manager.state.silences:
        await manager.set_silence(one)


def firing(manager: AlertManager) -> set[str]:
    """Return the names of what fires."""
    now_ns = manager.now_ns()
    return {name for name, alert in manager.state.alerts.items() if not alert.is_resolved(now_ns)}


async def until(holds: Callable[[], bool], clock: SystemClock) -> None:
    """Return once it holds."""
    while not holds():
        await clock.sleep(0.01)


async def called(manager: AlertManager, clock: SystemClock) -> None:
    """Return once a call has failed, or there is none to wait for any more."""
    calls = manager.calls
    assert calls is not None
    while not calls.escalator.state.open or any(not one.tries for one in calls.outbox.values()):
        await clock.sleep(0.01)


async def settled(manager: AlertManager, clock: SystemClock) -> None:
    """Return once every group has spoken, nothing is on its way, and nothing that may be told is untold."""
    await until(lambda: is_settled(manager), clock)


def is_settled(manager: AlertManager) -> bool:
    """Return whether nothing is to be told or on its way; what is silenced is not to be told."""
    state, calls = manager.state, manager.calls
    told = {name for one in state.told.values() for name in one.firing}
    heard = set() if state.silences else firing(manager)
    is_called = calls is None or not (calls.outbox or calls.ends.owed)
    return not state.outbox and heard == told and is_called and all(one.has_flushed for one in state.groups.values())


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5], sys.argv[6:]))
