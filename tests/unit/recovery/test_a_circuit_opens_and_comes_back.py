"""What keeps failing is not asked; a probe with a time limit finds out when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from trading_orchestrator.errors import Refused, Transient
from trading_orchestrator.kernel.circuit_breaker import (
    CIRCUIT,
    Circuit,
    CircuitBreaker,
    CircuitConfig,
    CircuitMoved,
    CircuitOpen,
    On,
)
from trading_orchestrator.kernel.clock import VirtualClock

CONFIG = CircuitConfig(window_calls=10, window_s=60, min_calls=4, open_s=5, open_max_s=15, slow_call_s=2, probe_s=3)


class Scene:
    """A breaker on a virtual clock, and what it told."""

    def __init__(self, config: CircuitConfig = CONFIG) -> None:
        self.clock = VirtualClock()
        self.told: list[CircuitMoved] = []
        self.breaker = CircuitBreaker("venue", config, self.clock, tell=self.told.append)

    async def call(self, error: Exception | None = None, takes_s: float = 0.0) -> None:
        async with self.breaker.call():
            await self.clock.advance(takes_s)
            if error is not None:
                raise error

    async def fail(self, times: int = 1) -> None:
        for _ in range(times):
            with pytest.raises(Transient, match="down"):
                await self.call(Transient("down"))

    def state(self) -> Circuit:
        return self.breaker.state

    @property
    def moves(self) -> Iterator[tuple[Circuit, Circuit]]:
        return ((moved.was, moved.now) for moved in self.told)


async def test_half_of_the_calls_failing_opens_it() -> None:
    scene = Scene()
    await scene.call()
    await scene.call()
    await scene.fail()
    assert Circuit.CLOSED is scene.state()

    await scene.fail()

    assert Circuit.OPEN is scene.state()
    assert ["2 of the last 4 calls failed"] == [moved.reason for moved in scene.told]


async def test_few_calls_prove_nothing() -> None:
    scene = Scene()
    await scene.fail(times=3)

    assert Circuit.CLOSED is scene.state()


async def test_an_open_circuit_asks_nobody_and_says_when_to_come_again() -> None:
    scene = Scene()
    await scene.fail(times=4)
    await scene.clock.advance(2)

    with pytest.raises(CircuitOpen) as refused:
        await scene.call()

    assert 3.0 == refused.value.retry_after_s
    assert {"circuit": "venue", "state": "open"} == refused.value.facts
    assert 1 == scene.breaker.refused_total


async def test_a_good_probe_closes_it_and_forgets_the_past() -> None:
    scene = Scene()
    await scene.fail(times=4)
    await scene.clock.advance(5)
    assert Circuit.HALF_OPEN is scene.state()

    await scene.call()

    assert Circuit.CLOSED is scene.state()
    assert 0 == scene.breaker.tally.calls


async def test_only_as_many_probes_as_agreed_are_out_at_once() -> None:
    scene = Scene()
    await scene.fail(times=4)
    await scene.clock.advance(5)

    with scene.breaker.call(), pytest.raises(CircuitOpen):
        await scene.call()


async def test_each_failed_probe_doubles_the_wait_up_to_its_cap() -> None:
    scene = Scene()
    await scene.fail(times=4)
    waits = []
    for _ in range(4):
        waits.append(scene.breaker.retry_after_s)
        await scene.clock.advance(waits[-1])
        await scene.fail()

    assert [5.0, 10.0, 15.0, 15.0] == waits


async def test_a_probe_that_never_answers_does_not_hold_it_half_open() -> None:
    scene = Scene()
    await scene.fail(times=4)
    await scene.clock.advance(500)
    hangs = scene.breaker.call()
    hangs.__enter__()
    await scene.clock.advance(2.9)
    assert Circuit.HALF_OPEN is scene.state()

    await scene.clock.advance(0.1)
    assert Circuit.OPEN is scene.state()

    hangs.__exit__(None, None, None)  # too late to matter
    assert Circuit.OPEN is scene.state()


async def test_a_cancelled_probe_frees_its_place() -> None:
    scene = Scene()
    await scene.fail(times=4)
    await scene.clock.advance(5)
    probe = asyncio.create_task(scene.call(takes_s=0))
    with pytest.raises(asyncio.CancelledError), scene.breaker.call():
        raise asyncio.CancelledError
    await probe

    assert Circuit.CLOSED is scene.state()


async def test_slow_calls_open_it_as_well() -> None:
    scene = Scene()
    for _ in range(4):
        await scene.call(takes_s=2.5)

    assert "4 of the last 4 calls took over 2 s" == scene.told[-1].reason


async def test_a_refusal_is_an_answer() -> None:
    scene = Scene()
    for _ in range(9):
        with pytest.raises(Refused):
            await scene.call(Refused("no such order"))

    assert Circuit.CLOSED is scene.state()


async def test_old_failures_are_forgotten() -> None:
    scene = Scene()
    await scene.fail(times=3)
    await scene.clock.advance(61)
    await scene.fail()

    assert Circuit.CLOSED is scene.state()
    assert 1 == scene.breaker.tally.calls


async def test_a_window_of_time_alone_stays_small() -> None:
    scene = Scene(CircuitConfig(window_calls=0, window_s=10, min_calls=10_000))
    for _ in range(5_000):
        await scene.call()

    assert 5_000 == scene.breaker.tally.calls
    await scene.clock.advance(11)
    assert 0 == scene.breaker.tally.calls


async def test_a_call_from_before_the_move_is_not_counted_after_it() -> None:
    scene = Scene()
    slow = scene.breaker.call()
    slow.__enter__()
    await scene.fail(times=4)
    await scene.clock.advance(5)
    await scene.call()
    slow.__exit__(Transient, Transient("down"), None)

    assert 0 == scene.breaker.tally.calls


async def test_an_operators_word_holds_until_taken_back() -> None:
    scene = Scene()
    scene.breaker.open(by="ada", reason="venue maintenance")
    await scene.clock.advance(86_400)
    with pytest.raises(CircuitOpen):
        await scene.call()

    scene.breaker.close(by="ada", reason="back")
    await scene.call()

    assert [(Circuit.CLOSED, Circuit.FORCED_OPEN), (Circuit.FORCED_OPEN, Circuit.CLOSED)] == list(scene.moves)
    assert ["ada", "ada"] == [moved.by for moved in scene.told]


def test_every_state_hears_the_operator() -> None:
    assert all(CIRCUIT.allows(at, on) for at in Circuit for on in (On.OPENED_BY_OPERATOR, On.CLOSED_BY_OPERATOR))


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"window_calls": 0, "window_s": 0}, "window_calls"),
        ({"window_calls": 3, "min_calls": 4}, "min_calls"),
        ({"open_s": 90}, "open_s"),
    ],
)
def test_what_could_never_work_is_refused(wrong: dict[str, float], key: str) -> None:
    with pytest.raises(ValueError, match=key):
        CircuitConfig(**wrong)  # type: ignore[arg-type]
