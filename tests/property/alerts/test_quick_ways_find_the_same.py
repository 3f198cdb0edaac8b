"""What a storm takes a short cut for is what the plain way finds: fingerprints, routes, groups and their times."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from trading_orchestrator.perpetual_operations.alerts.config import RouteConfig
from trading_orchestrator.perpetual_operations.alerts.dues import Dues
from trading_orchestrator.perpetual_operations.alerts.fingerprints import LANES_MAX, fingerprints
from trading_orchestrator.perpetual_operations.alerts.labels import fingerprint, shown, without_empty
from trading_orchestrator.perpetual_operations.alerts.route import Routing, build_tree

names = st.sampled_from(["alertname", "host", "ä", "_"])
label_sets = st.dictionaries(names, st.text(max_size=6))
few_values = st.dictionaries(names, st.sampled_from(["a", "b", "c"]))
TREE = build_tree(
    RouteConfig(
        receiver="r",
        group_by=("alertname",),
        routes=(
            RouteConfig(receiver="a", matchers=('host="a"',), continue_=True, group_by=("...",)),
            RouteConfig(receiver="b", matchers=('host!="c"', 'alertname=~"a|b"'), group_by=("host", "alertname")),
            RouteConfig(receiver="none", matchers=('_=""',), group_by=()),
        ),
    )
)
moves = st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.integers(0, 20)), max_size=30)


@given(st.lists(label_sets, max_size=60))
def test_many_fingerprints_are_those_of_each(several: list[dict[str, str]]) -> None:
    assert [fingerprint(labels) for labels in several] == fingerprints(several)


def test_more_fingerprints_than_go_side_by_side_are_those_of_each() -> None:
    several = [{"host": f"h{number:05}"} for number in range(2 * LANES_MAX + 1)]

    assert [fingerprint(labels) for labels in several] == fingerprints(several)


@given(st.lists(few_values, min_size=1, max_size=30))
@settings(deadline=None)
def test_a_remembered_way_is_the_one_that_the_tree_shows(several: list[dict[str, str]]) -> None:
    routing = Routing(TREE)

    for labels in map(without_empty, several):
        taken = TREE.match(labels)
        assert taken == routing.of(labels)
        for route in taken:
            plain = f"{route.route_id}|{route.key}:{shown(route.group_labels(labels))}"
            assert plain == routing.group_id(route, labels)


@given(moves, st.lists(st.integers(0, 20), max_size=5))
def test_groups_are_taken_when_they_are_due_and_only_then(
    changes: list[tuple[str, int | None]], turns: list[int]
) -> None:
    times: dict[str, int | None] = {}
    dues = Dues(times.get, ())
    per_turn = len(changes) // (len(turns) + 1)

    for now_ns in turns:
        for group_id, due_ns in changes[:per_turn]:
            times[group_id] = due_ns
            dues.note(group_id)
        changes = changes[per_turn:]
        known = sorted((due_ns, group_id) for group_id, due_ns in times.items() if due_ns is not None)
        assert min(known, default=(None,))[0] == dues.next_ns()
        due = dues.take(now_ns)
        assert [group_id for due_ns, group_id in known if due_ns <= now_ns] == due
        for group_id in due:
            times[group_id] = now_ns + 3
            dues.note(group_id)
