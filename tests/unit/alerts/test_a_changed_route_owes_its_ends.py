"""Where ends are always told, a changed route is no excuse: the receiver that heard of the beginning hears the end."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.conformance.alert_timeline_driver import START_NS, Timeline
from tests.unit.alerts.engine_bench import Event, ends, fires
from trading_orchestrator.perpetual_operations.alerts.config import AlertingConfig
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.policy import policy_of

ROUTE: dict[str, Any] = {
    "receiver": "all", "group_by": ["alertname"], "group_wait": 1, "group_interval": 2, "repeat_interval": 60,
}  # fmt: skip
CONFIG: dict[str, Any] = {
    "route": ROUTE | {"routes": [{"receiver": "old", "matchers": ["host=a"]}]},
    "receivers": {"all": {}, "old": {}, "new": {}},
    "resolve_timeout": 1000,
    "end_always_told": True,
}
ELSEWHERE = CONFIG | {"route": ROUTE | {"routes": [{"receiver": "new", "matchers": ["host=a"]}]}}
GONE = CONFIG | {"route": ROUTE}


class Reloaded(Timeline):
    """A timeline in which `reload` takes another config over, as the product does: a successor folds the facts."""

    def on_reload(self, event: Event, now_ns: int) -> None:
        self.policy = policy_of(msgspec.convert(event["config"], AlertingConfig))
        self.engine = Engine(self.policy, self.refolded())
        self._keep(self.engine.start(now_ns))


def told(*events: Event, config: dict[str, Any] = CONFIG, horizon: float = 40) -> list[tuple[float, str, str]]:
    line = Reloaded({"config": config, "events": list(events), "horizon": horizon})
    return [(one["t"], one["receiver"], one["status"]) for one in line.play()]


def reload(t: float, config: dict[str, Any]) -> Event:
    return {"t": t, "op": "reload", "config": config}


@pytest.mark.parametrize(("config", "heir"), [(ELSEWHERE, "new"), (GONE, "all")])
def test_the_old_receiver_hears_the_end_and_the_new_one_everything(config: dict[str, Any], heir: str) -> None:
    messages = told(fires(0, host="a"), reload(5, config), ends(20, host="a"))

    assert [(1.0, "old", "firing"), (5.0, heir, "firing")] == messages[:2]
    assert sorted([("old", "resolved"), (heir, "resolved")]) == sorted((to, what) for _, to, what in messages[2:])


def test_it_hears_nothing_else_however_long_it_goes_on_and_however_often_we_start_anew() -> None:
    again = {"t": 30, "op": "restart", "how": "KILL"}
    messages = told(
        fires(0, host="a"), reload(5, ELSEWHERE), again, fires(31, host="a"), ends(150, host="a"), horizon=200
    )

    assert ["firing", "resolved"] == [what for _, to, what in messages if to == "old"]


def test_a_route_that_comes_back_goes_on_where_it_was() -> None:
    messages = told(
        fires(0, host="a"), reload(5, ELSEWHERE), reload(10, CONFIG), fires(11, host="a"), ends(20, host="a")
    )

    assert ["firing", "resolved"] == [what for _, to, what in messages if to == "old"]


def test_a_route_that_only_moved_tells_its_end_once() -> None:
    first = {"receiver": "new", "matchers": ["host=z"]}
    moved = CONFIG | {"route": ROUTE | {"routes": [first, {"receiver": "old", "matchers": ["host=a"]}]}}

    messages = told(fires(0, host="a"), reload(5, moved), fires(6, host="a"), ends(20, host="a"))

    assert ["firing", "resolved"] == [what for _, to, what in messages if to == "old"]


def test_an_end_on_its_way_is_not_made_anew_by_a_start() -> None:
    away = {"t": 6, "op": "receiver_script", "receiver": "old", "answers": [503, 503, 503]}
    again = {"t": 9.5, "op": "restart", "how": "KILL"}
    line = Reloaded({
        "config": CONFIG, "horizon": 40,
        "events": [fires(0, host="a"), reload(5, ELSEWHERE), away, ends(8, host="a"), again],
    })  # fmt: skip
    keys = {key for one, key in zip(line.play(), line.keys, strict=True) if one["receiver"] == "old"}

    assert 2 == len(keys)


def test_without_the_setting_a_changed_route_is_forgotten_as_alertmanager_forgets_it() -> None:
    silent = {"end_always_told": False}
    messages = told(fires(0, host="a"), reload(5, ELSEWHERE | silent), ends(20, host="a"), config=CONFIG | silent)

    assert ["firing"] == [what for _, to, what in messages if to == "old"]


def test_a_receiver_that_is_gone_itself_hears_nothing_and_keeps_nothing_alive() -> None:
    gone = GONE | {"receivers": {"all": {}}}
    line = Reloaded({"config": CONFIG, "horizon": 700,
                     "events": [fires(0, host="a"), reload(5, gone), ends(20, host="a")]})  # fmt: skip

    assert ["firing"] == [one["status"] for one in line.play() if one["receiver"] == "old"]
    assert {} == line.engine.state.groups
    assert line.engine.state.at_ns > START_NS
