"""From detection to proof: each rung in its order, within its limits, and an end only when the part reads well."""

from __future__ import annotations

import pytest

from tests.integration.recovery.scene import MakeScene
from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import Failure
from trading_orchestrator.perpetual_operations.recovery.ladder import Ladder, LadderRefused, Step


async def test_a_step_that_helps_ends_the_incident_and_gets_the_credit(make_scene: MakeScene) -> None:
    scene = make_scene(Ladder(failure="database.lost", steps=(Step(action="wait"), Step(action="helps"))))
    scene.part("database")
    await scene.pass_time(2)
    scene.breaks("database", "database.lost", "connection refused")

    await scene.pass_time(20)

    (incident,) = await scene.told()
    assert ("resolved", "helps", "database.lost") == (incident.state, incident.ended_by, incident.failure)
    assert [("wait", "done"), ("helps", "done")] == [(step.action, step.outcome) for step in incident.steps]
    assert "database reads healthy: fine" == incident.proof
    assert 1.0 == incident.detected_after_s
    assert {} == scene.incidents.open


async def test_an_action_that_says_done_proves_nothing(make_scene: MakeScene) -> None:
    scene = make_scene(Ladder(failure="x", steps=(Step(action="pretends", tries=2, proof_s=2),), again_s=10))
    scene.part("feed")
    scene.breaks("feed", "x")

    await scene.pass_time(8)

    (incident,) = await scene.told()
    assert "exhausted" == incident.state
    assert ["pretends feed"] * 2 == scene.done


async def test_a_ladder_without_success_pages_and_begins_again(make_scene: MakeScene) -> None:
    scene = make_scene(Ladder(failure="x", steps=(Step(action="fails", proof_s=1),), again_s=10))
    scene.part("feed")
    scene.breaks("feed", "x")
    await scene.pass_time(5)
    (incident,) = await scene.told()
    assert "no step helped: a person is needed; the ladder begins again in 10 s" == incident.timeline[-1].what

    await scene.pass_time(20)

    assert 3 == len(scene.done)
    assert "no step helped feed: a person is needed" == scene.recovery.health().reason


@pytest.mark.parametrize(("makes_safe", "state"), [(True, "exhausted"), (False, "open")])
async def test_what_only_works_because_it_was_made_safe_pages(
    make_scene: MakeScene, *, makes_safe: bool, state: str
) -> None:
    """A desk that a step halted comes back halted: nothing goes on before a person has looked."""
    scene = make_scene(Ladder(failure="x", steps=(Step(action="halt", proof_s=5),), again_s=10))

    async def halt(failure: Failure) -> str:
        scene.done.append("halt")
        scene.readings[failure.part] = Health(HealthState.DEGRADED, "comes back")
        if not makes_safe:
            raise Transient("it works again")
        return "halted"

    scene.recovery.add_action("halt", halt, replace=True, repairs=False)
    scene.part("feed")
    scene.breaks("feed", "x")
    await scene.pass_time(60)

    (incident,) = await scene.told()
    assert (state, ["halt"]) == (incident.state, scene.done)


async def test_an_action_that_hangs_is_late_and_the_next_rung_is_tried(make_scene: MakeScene) -> None:
    steps = (Step(action="hangs", deadline_s=2, proof_s=1), Step(action="helps"))
    scene = make_scene(Ladder(failure="x", steps=steps))
    scene.part("feed")
    scene.breaks("feed", "x")

    await scene.pass_time(10)

    (incident,) = await scene.told()
    assert [("hangs", "late"), ("helps", "done")] == [(step.action, step.outcome) for step in incident.steps]
    assert 2000.0 == incident.steps[0].took_ms


async def test_a_part_that_works_again_if_not_well_is_left_alone(make_scene: MakeScene) -> None:
    scene = make_scene(Ladder(failure="x", steps=(Step(action="pretends", proof_s=3), Step(action="helps"))))
    scene.part("desk")
    scene.breaks("desk", "x")
    await scene.pass_time(2)
    scene.readings["desk"] = Health(HealthState.DEGRADED, "the desk is halted")
    await scene.pass_time(60)
    assert ["pretends desk"] == scene.done
    assert ["open"] == [incident.state for incident in await scene.told()]

    scene.breaks("desk", "x")
    await scene.pass_time(5)
    assert ["pretends desk", "helps desk"] == scene.done


async def test_a_step_that_only_makes_safe_gets_no_credit(make_scene: MakeScene) -> None:
    scene = make_scene(Ladder(failure="x", steps=(Step(action="pretends", proof_s=1), Step(action="halts"))))
    scene.recovery.add_action("halts", scene.recovery.actions["halts"], replace=True, repairs=False)
    scene.part("desk")
    scene.breaks("desk", "x")
    await scene.pass_time(5)
    scene.readings["desk"] = Health(HealthState.HEALTHY)
    await scene.pass_time(2)

    (incident,) = await scene.told()
    assert ("resolved", "pretends") == (incident.state, incident.ended_by)


async def test_what_comes_back_by_itself_is_left_alone(make_scene: MakeScene) -> None:
    scene = make_scene(Ladder(failure="x", steps=(Step(action="helps", wait_s=5),)))
    scene.part("feed")
    scene.breaks("feed", "x")
    await scene.pass_time(3)
    scene.readings["feed"] = Health(HealthState.HEALTHY)

    await scene.pass_time(20)

    (incident,) = await scene.told()
    assert ("resolved", "", ()) == (incident.state, incident.ended_by, incident.steps)
    assert [] == scene.done


async def test_a_rung_is_used_no_more_often_than_its_budget_allows(make_scene: MakeScene) -> None:
    rung = Step(action="helps", budget=2, budget_s=1000)
    scene = make_scene(Ladder(failure="x", steps=(rung,), again_s=5000))
    scene.part("feed")
    for _ in range(4):
        scene.breaks("feed", "x")
        await scene.pass_time(10)

    last = (await scene.told())[-1]
    assert ["helps feed"] * 2 == scene.done
    assert ("skipped", "used 2 times within 1000 s, which is its budget") == (
        last.steps[0].outcome,
        last.steps[0].said,
    )


async def test_a_rung_cools_down(make_scene: MakeScene) -> None:
    scene = make_scene(Ladder(failure="x", steps=(Step(action="helps", cooldown_s=60),), again_s=70))
    scene.part("feed")
    scene.breaks("feed", "x")
    await scene.pass_time(5)
    scene.breaks("feed", "x")
    await scene.pass_time(50)
    assert ["helps feed"] == scene.done

    await scene.pass_time(40)

    assert ["helps feed"] * 2 == scene.done


async def test_a_step_of_the_clock_opens_no_budget_again(make_scene: MakeScene) -> None:
    rung = Step(action="helps", budget=1, budget_s=600)
    scene = make_scene(Ladder(failure="x", steps=(rung,), again_s=5000))
    scene.part("feed")
    for _ in range(2):
        scene.breaks("feed", "x")
        await scene.pass_time(10)
        scene.clock.step_wall(3_600_000_000_000)

    assert ["helps feed"] == scene.done


async def test_a_climb_under_a_step_of_the_clock_took_as_long_as_it_took(make_scene: MakeScene) -> None:
    scene = make_scene(Ladder(failure="x", steps=(Step(action="hangs", deadline_s=2, proof_s=1),)))
    scene.part("feed")
    scene.breaks("feed", "x")
    await scene.pass_time(1.5)
    scene.clock.step_wall(3_600_000_000_000)
    await scene.pass_time(10)

    (incident,) = await scene.told()
    assert 2000.0 == incident.steps[0].took_ms


async def test_a_part_without_a_class_climbs_the_ladder_of_its_name(make_scene: MakeScene) -> None:
    scene = make_scene(Ladder(failure="broker.disconnected", parts=("broker/*",), steps=(Step(action="helps"),)))
    scene.part("broker/paper")
    scene.breaks("broker/paper")

    await scene.pass_time(5)

    assert ["broker.disconnected"] == [incident.failure for incident in await scene.told()]


async def test_a_degraded_part_climbs_only_where_the_ladder_says_so(make_scene: MakeScene) -> None:
    scene = make_scene(
        Ladder(failure="disk.low", parts=("disk",), degraded_too=True, steps=(Step(action="helps"),)),
    )
    scene.part("disk")
    scene.part("feed")
    for part in ("disk", "feed"):
        scene.readings[part] = Health(HealthState.DEGRADED, "not quite well")

    await scene.pass_time(10)

    assert ["disk"] == [incident.part for incident in await scene.told()]


async def test_a_wrong_rung_is_named_before_anything_starts(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.recovery.ladders.add(Ladder(failure="x", steps=(Step(action="help"),)))

    with pytest.raises(LadderRefused, match=r"ladder 'x', step 1: no action is named 'help'.*helps"):
        scene.recovery.ladders.check(scene.recovery.actions)
