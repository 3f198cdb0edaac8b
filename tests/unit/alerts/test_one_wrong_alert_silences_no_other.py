"""An alert that cannot be taken is cut or left out, and shown; what fires beside it is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tests.unit.alerts.rule_bench import books
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.perpetual_operations.alerts.alert import TEXT_LEN_MAX, Posted, all_admitted
from trading_orchestrator.perpetual_operations.alerts.readings import Reading
from trading_orchestrator.perpetual_operations.alerts.rider import Body
from trading_orchestrator.perpetual_operations.alerts.watching import Watching
from trading_orchestrator.storage.ports import Fact

HOT = {"kind": "threshold", "name": "Hot", "metric": "heat", "threshold": 90}
LONG = {"kind": "threshold", "name": "Long", "metric": "size", "threshold": 0, "summary": "{{ $labels.x }} is long"}
SEEN = {"kind": "fact", "name": "Seen", "fact": "thing.seen", "by": ["what"], "firing_for": 60,
        "annotations": {f"n{number}": "{{ $labels.what }}" * 50 for number in range(3)}}  # fmt: skip


class Manager:
    """Takes or refuses alerts as the real one does."""

    def __init__(self) -> None:
        self.alerts: list[Posted] = []
        self.facts: list[Body] = []
        self.now_s = 1

    def now_ns(self) -> int:
        return self.now_s * 1_000_000_000

    def wall_ns(self) -> int:
        return self.now_ns()

    async def tell(self, alerts: Sequence[Posted], also: Sequence[Body] = ()) -> None:
        all_admitted(alerts, self.now_ns(), 1)
        self.alerts += alerts
        self.facts += also

    def names(self) -> list[str]:
        return sorted(one.labels["alertname"] for one in self.alerts)


class Journal:
    """Facts, on one page."""

    def __init__(self, *bodies: dict[str, Any]) -> None:
        self.facts = [
            Fact(pos, "s", pos, 0, "n", 1, "thing.seen", msgspec.json.encode(body), b"", b"")
            for pos, body in enumerate(bodies, 1)
        ]

    async def read(self, *, after_pos: int, **_: object) -> list[Fact]:
        return [fact for fact in self.facts if fact.pos > after_pos]


def watching(*rules: dict[str, Any], readings: Sequence[Reading] = (), journal: Journal | None = None) -> Watching:
    async def read() -> Sequence[Reading]:
        return readings

    store: Any = journal
    return Watching(books(*rules), store, VirtualClock(), read=read, interval_s=1.0)


async def test_an_alert_with_an_impossible_label_is_left_out_and_shown() -> None:
    readings: list[Reading] = [("heat", {}, 99.0), ("size", {"a-b": "x"}, 1.0)]
    one, manager = watching(HOT, LONG, readings=readings), Manager()
    await one.evaluate(manager)

    assert ["Hot"] == manager.names()
    assert {"Long"} == one.broken.keys()
    assert "rule Long: an alert of it was left out: expected at least one label" in one.broken["Long"].message
    assert {"Hot", "Long"} == {fact.rule for fact in manager.facts}


async def test_an_alert_that_says_too_much_is_cut_and_told() -> None:
    readings: list[Reading] = [("heat", {}, 99.0), ("size", {"x": "y" * (TEXT_LEN_MAX // 2)}, 1.0)]
    one, manager = watching(HOT, LONG, readings=readings), Manager()
    await one.evaluate(manager)

    assert ["Hot", "Long"] == manager.names()
    (cut,) = [alert for alert in manager.alerts if alert.labels["alertname"] == "Long"]
    assert cut.annotations["summary"].startswith("yyy")
    assert "size" == cut.annotations["series"]
    assert {"Long"} == one.broken.keys()


async def test_what_was_left_out_is_forgotten_once_it_can_be_told() -> None:
    readings: list[Reading] = [("size", {"a-b": "x"}, 1.0)]
    one, manager = watching(LONG, readings=readings), Manager()
    await one.evaluate(manager)
    assert one.broken
    readings[:] = [("size", {"a-b": "x"}, -1.0)]
    for manager.now_s in (2, 3):
        await one.evaluate(manager)

    assert {} == one.broken


async def test_a_fact_that_gives_too_much_text_does_not_end_the_reading_of_facts() -> None:
    journal = Journal({"what": "z" * 100}, {"what": "small"})
    one, manager = watching(SEEN, journal=journal), Manager()

    assert 2 == await one._see(0, manager)
    assert ["Seen", "Seen"] == manager.names()
    assert {"Seen"} == one.broken.keys()
