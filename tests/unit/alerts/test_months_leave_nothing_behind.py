"""Labels that never come again, silences that are over and series that have ended take no memory."""

from __future__ import annotations

from typing import Any

import msgspec

from trading_orchestrator.perpetual_operations.alerts.alert import Posted, admitted
from trading_orchestrator.perpetual_operations.alerts.config import AlertingConfig
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.policy import policy_of
from trading_orchestrator.perpetual_operations.alerts.rules.samples import FORGET_EVERY, Samples
from trading_orchestrator.perpetual_operations.alerts.silence import Silence

S = 1_000_000_000
DAY_S = 86_400
CONFIG: dict[str, Any] = {
    "route": {"receiver": "r", "group_by": ["..."], "group_wait": 1, "group_interval": 2, "repeat_interval": 10},
    "receivers": {"r": {}},
    "inhibit_rules": [{"source_matchers": ["severity=critical"], "target_matchers": ["a=b"], "equal": ["order"]}],
    "flapping": {},
    "storm": {},
    "root_cause": {},
}


def a_day(engine: Engine, day: int) -> None:
    """Ten orders get into trouble and out of it; somebody silences some of them."""
    for number in range(10):
        start_ns = (day * DAY_S + number * 600) * S
        labels = {"order": f"{day}-{number}", "part": f"desk-{day}", "severity": "critical"}
        engine.receive([admitted(Posted(labels=labels), start_ns, 300 * S)], start_ns)
        silence = Silence(silence_id=labels["order"], matchers=(f"order={labels['order']}",), starts_at_ns=start_ns,
                          ends_at_ns=start_ns + 60 * S, created_by="bob", comment="looks at it")  # fmt: skip
        engine.set_silence(silence, start_ns)
        for second in (2, 30, 61, 100, 301, 303, 400):
            now_ns = start_ns + second * S
            if second == 100:
                over = Posted(labels=labels, starts_at_ns=start_ns, ends_at_ns=now_ns)
                engine.receive([admitted(over, now_ns, 300 * S)], now_ns)
            engine.advance(now_ns)
            for outgoing in engine.due_sends(now_ns):
                engine.delivered(outgoing.message.notification_id, now_ns)


def size(engine: Engine) -> dict[str, int]:
    """Return how much is remembered, by what."""
    state = engine.state
    held = {name: len(getattr(state, name)) for name in ("alerts", "groups", "silences", "told", "outbox", "flaps")}
    guards: list[Any] = [engine.inhibitor, engine.root_causes, engine.silencer, engine.tending]
    parts: list[Any] = [*guards, engine, engine._decisions, engine._decisions.dues, engine._flushing]
    for part in parts:
        for name, value in vars(part).items():
            if isinstance(value, dict | list):
                held[f"{type(part).__name__}.{name}"] = len(value)
    (rule,) = engine.inhibitor._rules
    return {**held, "sources": len(rule.sources)}


def test_an_engine_is_as_small_after_a_month_as_after_ten_days() -> None:
    engine = Engine(policy_of(msgspec.convert(CONFIG, AlertingConfig)))
    sizes = []
    for day in range(30):
        a_day(engine, day)
        sizes.append(size(engine))

    grown = {name: (sizes[9][name], held) for name, held in sizes[-1].items() if held > sizes[9][name]}
    assert {} == grown


def test_series_that_have_ended_are_forgotten_and_silent_ones_are_not() -> None:
    samples = Samples(keep_ns=60 * S)
    samples.add("quotes", {"feed": "silent"}, 0, 1.0)
    for number in range(FORGET_EVERY // 2):
        labels = {"order": str(number)}
        samples.add("open", labels, number * S, 1.0)
        samples.add("open", labels, number * S + 1, None)

    assert 1 == len(list(samples.of("quotes", ())))
    assert 62 >= len(list(samples.of("open", ())))
