"""Storms and huge groups: every fact stays well below 1 MB, and the facts still make the same state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.alert import TEXT_LEN_MAX, Alert, Posted, admitted
from trading_orchestrator.perpetual_operations.alerts.config import AlertingConfig
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.policy import policy_of
from trading_orchestrator.perpetual_operations.alerts.state import folded

S = 1_000_000_000
FACT_BYTES_MAX = 900_000


class Kept:
    """An engine whose facts are kept in their stored form."""

    def __init__(self, **config: Any) -> None:
        whole = {"route": {"receiver": "r"}, "receivers": {"r": {}}, **config}
        self.engine = Engine(policy_of(msgspec.convert(whole, AlertingConfig)))
        self.stored: list[tuple[str, bytes]] = []

    def keep(self, bodies: Sequence[f.Body]) -> Sequence[f.Body]:
        self.stored += [(body.kind, msgspec.json.encode(body)) for body in bodies]
        return bodies

    def deliver(self, now_ns: int) -> None:
        for outgoing in self.engine.due_sends(now_ns):
            self.keep(self.engine.delivered(outgoing.message.notification_id, now_ns))

    def judge(self) -> None:
        assert max(len(body) for _, body in self.stored) < FACT_BYTES_MAX
        bodies = [f.body_of(kind, body) for kind, body in self.stored]
        assert folded(body for body in bodies if body is not None) == self.engine.state


def alerts(count: int, now_ns: int, **times: int) -> list[Alert]:
    return [admitted(Posted(labels={"n": str(n)}, **times), now_ns, 9_000 * S) for n in range(count)]  # type: ignore[arg-type]


def test_one_group_of_twenty_five_thousand_through_its_whole_life() -> None:
    kept = Kept()
    kept.keep(kept.engine.start(0))
    kept.keep(kept.engine.receive(alerts(25_000, S), S))
    kept.keep(kept.engine.advance(31 * S))
    kept.deliver(31 * S)
    kept.keep(kept.engine.start(40 * S))
    kept.keep(kept.engine.receive(alerts(25_000, 400 * S, ends_at_ns=400 * S), 400 * S))
    kept.keep(kept.engine.advance(400 * S))
    kept.keep(kept.engine.advance(1_000 * S))
    kept.deliver(1_000 * S)
    kept.keep(kept.engine.advance(2_000 * S))

    kept.judge()
    assert {} == kept.engine.state.alerts


def test_a_receiver_without_ends_closes_a_huge_group_in_silence() -> None:
    kept = Kept(receivers={"r": {"send_resolved": False}})
    kept.keep(kept.engine.receive(alerts(11_000, S), S))
    kept.keep(kept.engine.advance(31 * S))
    kept.deliver(31 * S)
    kept.keep(kept.engine.receive(alerts(11_000, 40 * S, ends_at_ns=40 * S), 40 * S))
    kept.keep(kept.engine.advance(400 * S))

    kept.judge()
    (told,) = kept.engine.state.told.values()
    assert (0, 11_000) == (len(told.firing), len(told.resolved))


def test_a_digest_of_twenty_thousand_groups() -> None:
    kept = Kept(route={"receiver": "r", "group_by": ["..."]}, storm={"gather": 0})
    heard = kept.keep(kept.engine.receive(alerts(20_000, S), S))
    due = kept.keep(kept.engine.advance(31 * S))
    kept.deliver(31 * S)

    kept.judge()
    assert 400 >= len(heard)
    assert 1 == sum(isinstance(body, f.NotificationDue) for body in due)
    assert 20_000 == len(kept.engine.state.told)


def test_alerts_with_the_largest_and_most_expensive_texts() -> None:
    kept = Kept()
    text = "\x01" * (TEXT_LEN_MAX - 60)  # six bytes each in JSON
    posted = [Posted(labels={"n": str(n)}, annotations={"summary": text}) for n in range(100)]
    kept.keep(kept.engine.receive([admitted(one, S, 9_000 * S) for one in posted], S))
    kept.keep(kept.engine.advance(31 * S))

    kept.judge()
    (outgoing,) = kept.engine.state.outbox.values()
    assert 100 == len(outgoing.message.alerts) + outgoing.message.unlisted
