"""Digests of one receiver are one thread: it is over with the last of what they told, and with no other message."""

from __future__ import annotations

from typing import Any

from tests.unit.alerts.engine_bench import ROUTE, Event, ends, fires, timeline
from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.thread import Thread, digests_of

STORM = {"messages": 3, "within": 30, "every": 20, "gather": 0}
DIGESTS = digests_of("r")


def due(events: list[Event], **config: Any) -> list[f.NotificationDue]:
    """Return every message that became due."""
    line = timeline(events, storm=STORM, **config)
    line.play()
    return [body for kind, raw in line.stored if isinstance(body := f.body_of(kind, raw), f.NotificationDue)]


def storm(at: float = 0, hosts: str = "abcde") -> list[Event]:
    return [fires(at, host=host) for host in hosts]


def test_the_last_group_that_a_digest_told_ends_its_thread() -> None:
    events = [*storm(), *[ends(40 + 60 * number, host=host) for number, host in enumerate("abcde")]]

    digest, *others = due(events, horizon=400)

    assert (5, [DIGESTS]) == (digest.digest_of, list(digest.all_threads()))
    assert [(DIGESTS,)] * 5 == [one.after for one in others]
    assert [(), (), (), (), (DIGESTS,)] == [one.ends for one in others]


def test_ends_that_are_on_their_way_together_end_it_once() -> None:
    away = {"t": 30, "op": "receiver_script", "receiver": "r", "answers": [503] * 8}
    events = [*storm(hosts="abcd"), *[ends(20, host=host) for host in "ab"], away, *[ends(60, host=h) for h in "cd"]]

    sent = due(events, horizon=300)

    assert [(DIGESTS,)] == [one.ends for one in sent if one.ends]
    assert sent[-1].ends


def test_a_digest_of_the_rest_ends_it() -> None:
    first, last = due([*storm(), *[ends(50, host=host) for host in "abcde"]])

    assert (5, "resolved", (DIGESTS,)) == (last.digest_of, last.status, last.ends)
    assert () == first.ends


def test_a_digest_ends_the_threads_of_groups_that_spoke_for_themselves() -> None:
    events = [fires(0, host="x"), *storm(60), *[ends(120, host=host) for host in "xabcd"]]

    sent = due(events, horizon=160)

    own = [Thread("r", one.group_key) for one in sent if not one.digest_of]
    assert [(), (), tuple(own)] == [one.ends for one in sent]
    assert ["firing", "firing", "resolved"] == [one.status for one in sent]


def test_a_group_that_fires_on_by_itself_leaves_the_thread_of_the_digest() -> None:
    events = [*storm(hosts="abcd"), *[ends(40, host=host) for host in "abc"]]

    sent = due(events, route={**ROUTE, "repeat_interval": 90}, horizon=120)

    alone = [one for one in sent[1:] if one.status == "firing"]
    assert [((DIGESTS,), (DIGESTS,))] == [(one.after, one.ends) for one in alone]


def test_a_crash_changes_nothing_about_it() -> None:
    events = [*storm(), *[ends(40 + 60 * number, host=host) for number, host in enumerate("abcde")]]
    events += [{"t": 200, "op": "restart", "how": "KILL"}]

    sent = due(events, horizon=400)

    assert [(DIGESTS,)] == [one.ends for one in sent if one.ends]
