"""The watch: when a silence is an alarm, what it says, and that it is said once."""

from __future__ import annotations

import pytest

from trading_orchestrator.kernel.config import ConfigRefused, build
from trading_orchestrator.watchdog.config import WatchdogConfig
from trading_orchestrator.watchdog.pulse import Pulse, State
from trading_orchestrator.watchdog.watch import News, Notice, Watch

CONFIG = WatchdogConfig(silent_s=30, start_s=120, stopped_s=900, repeat_s=600)
BOOT = "this-boot"
START_S = 1_000


class Scene:
    """A watch, and a system whose pulse comes when the test says so; times in seconds since the watch began."""

    def __init__(self, config: WatchdogConfig = CONFIG) -> None:
        self.watch = Watch(config, boot_id=BOOT, now_boot_ns=ns(0))
        self.pulse: Pulse | None = None
        self.notices: list[tuple[int, Notice]] = []

    def beat(self, at_s: int, state: State = State.WELL, *, well_s: int | None = None, boot_id: str = BOOT) -> None:
        self.pulse = Pulse(
            node="node-1",
            state=state,
            says="the disk is full",
            boot_id=boot_id,
            at_boot_ns=ns(at_s),
            at_wall_ns=0,
            well_boot_ns=ns(at_s if well_s is None else well_s),
        )

    def look(self, *at_s: int) -> None:
        for second in at_s:
            notice = self.watch.look(self.pulse, ns(second))
            if notice is not None:
                self.notices.append((second, notice))

    def said(self) -> list[tuple[int, str, str]]:
        return [(at_s, notice.news.value, notice.summary) for at_s, notice in self.notices]


def ns(second: int) -> int:
    return (START_S + second) * 1_000_000_000


def test_a_silence_is_told_once_and_again_after_the_repetition_and_its_end_too() -> None:
    scene = Scene()
    scene.beat(5)
    scene.look(5, 34, 35, 36, 600, 635, 636)
    scene.beat(700)
    scene.look(701, 702)

    last = "The last one came from node-1."
    assert [
        (35, "silent", f"The trading system has given no sign of life for 30 s. {last}"),
        (635, "silent", f"The trading system has given no sign of life for 630 s. {last}"),
        (701, "back", "The system makes progress again on node-1, after 695 s."),
    ] == scene.said()
    assert 3 == len({notice.key for _, notice in scene.notices})


def test_life_without_progress_is_a_silence_and_its_reason_is_told() -> None:
    scene = Scene()
    scene.beat(5)
    scene.look(5)
    for second in range(10, 60, 5):
        scene.beat(second, State.UNWELL, well_s=5)
        scene.look(second)

    assert [
        (35, "silent", "The trading system lives but has made no progress for 30 s: the disk is full (node-1)")
    ] == scene.said()


def test_a_host_that_boots_is_given_more_time() -> None:
    scene = Scene()
    scene.look(30, 119, 120)

    assert [
        (120, "silent", "The trading system has given no sign of life for 120 s, nor any before on this boot.")
    ] == scene.said()


def test_a_pulse_of_another_boot_is_none() -> None:
    scene = Scene()
    scene.beat(5, boot_id="another-boot")
    scene.look(119, 120)

    assert [120] == [at_s for at_s, _, _ in scene.said()]


def test_a_system_that_was_stopped_in_order_is_missed_only_after_a_while() -> None:
    scene = Scene()
    scene.beat(5)
    scene.look(5)
    scene.beat(10, State.STOPPED)
    scene.look(100, 909, 910)
    never = Scene(WatchdogConfig(stopped_s=0))
    never.beat(10, State.STOPPED)
    never.look(10, 100_000)

    assert [
        (910, "silent", "The trading system was stopped in order 900 s ago, and has not come back.")
    ] == scene.said()
    assert [] == never.said()


def test_an_operator_who_stops_a_silent_system_ends_the_alarm() -> None:
    scene = Scene()
    scene.beat(5)
    scene.look(5, 40)
    scene.beat(100, State.STOPPED)
    scene.look(101, 129, 130)

    assert [40, 130] == [at_s for at_s, _ in scene.notices]
    assert [News.SILENT, News.BACK] == [notice.news for _, notice in scene.notices]
    assert "The system was stopped in order, after 95 s." == scene.notices[1][1].summary


def test_a_handover_after_an_outage_is_told_as_the_return_that_it_is() -> None:
    scene = Scene()
    scene.beat(5)
    scene.look(5, 40)
    scene.beat(50, State.STOPPED)
    scene.look(51)
    scene.beat(52)
    scene.look(53)

    assert "The system makes progress again on node-1, after 47 s." == scene.notices[1][1].summary


def test_a_watchdog_that_was_started_anew_tells_under_the_same_key() -> None:
    first, second = Scene(), Scene()
    for scene in (first, second):
        scene.beat(-50)
    first.look(0, 200)
    second.look(10, 300)

    assert first.notices[0][1].key == second.notices[0][1].key


def test_a_patience_shorter_than_three_pulses_is_refused() -> None:
    with pytest.raises(ConfigRefused, match="one late pulse would be an alarm"):
        build(WatchdogConfig, {"pulse_s": 20, "silent_s": 59}, source="test")
