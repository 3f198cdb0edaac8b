"""The history of a message: which channel answered what at which try, over restarts, and of many tries not all."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tests.unit.alerts.post import message
from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.calls import CallDelivered, CallFailed
from trading_orchestrator.perpetual_operations.alerts.escalation.facts import ContactDue
from trading_orchestrator.perpetual_operations.alerts.history import History, SentLine

AWAY = (f.Answer("mail", "250 queued", is_taken=True), f.Answer("sms", "answered 503", is_taken=False))
TAKEN = (f.Answer("sms", "201", is_taken=True),)


def failed(at_ns: int, answers: tuple[f.Answer, ...] = AWAY) -> f.NotificationFailed:
    return f.NotificationFailed(
        notification_id="n-1", at_ns=at_ns, answer=f.in_words(answers), retry_at_ns=at_ns + 1, answers=answers
    )


def delivered(at_ns: int) -> f.NotificationDelivered:
    said = f.in_words([AWAY[0], *TAKEN])
    return f.NotificationDelivered(notification_id="n-1", at_ns=at_ns, answer=said, answers=TAKEN)


def line_after(*bodies: object, restart: bool = False) -> SentLine:
    """Return the newest row; with `restart`, of a process that folded the snapshot of the one before the last fact."""
    history = History()
    lines: list[object] = []
    for number, body in enumerate(bodies):
        if restart and number == len(bodies) - 1:
            history, kept = History(), history.snapshot(0)
            for one in kept:
                history.load(one.kind, msgspec.json.encode(one))
        lines += [put.value for put in history.rows([body])]
    assert isinstance(lines[-1], SentLine)
    return lines[-1]


def log_of(line: SentLine) -> Sequence[tuple[int, list[tuple[str, str, bool]]]]:
    return [(one.at_ns, [(each.channel, each.said, each.is_taken) for each in one.answers]) for one in line.log]


def test_a_row_names_each_channel_with_its_answer_and_keeps_the_failures_before() -> None:
    for restart in (False, True):
        line = line_after(message("n-1"), failed(10), delivered(20), restart=restart)

        assert ("delivered", 2, "mail: 250 queued; sms: 201") == (line.outcome, line.tries, line.answer)
        assert [
            (10, [("mail", "250 queued", True), ("sms", "answered 503", False)]),
            (20, [("sms", "201", True)]),
        ] == log_of(line)


def test_of_many_tries_the_first_and_the_last_ones_stay() -> None:
    line = line_after(message("n-1"), *[failed(at_ns) for at_ns in range(50)])

    assert 50 == line.tries
    assert [0, 1, 2, *range(43, 50)] == [one.at_ns for one in line.log]


def test_what_we_ourselves_took_back_is_no_answer_of_a_channel() -> None:
    dropped = f.NotificationDropped(notification_id="n-1", at_ns=30, reason="a newer one follows")
    line = line_after(message("n-1"), failed(10), dropped)

    assert ("dropped", "a newer one follows", [10]) == (line.outcome, line.answer, [one.at_ns for one in line.log])


def test_calls_are_kept_in_the_same_way() -> None:
    contact = ContactDue(contact_id="c-1", at_ns=1, to="ann", channel="sms", escalations=("e",))
    away = CallFailed(contact_id="c-1", at_ns=2, answer="sms: away", retry_at_ns=3, answers=AWAY[1:])
    heard = CallDelivered(contact_id="c-1", at_ns=3, answer="sms: 201", answers=TAKEN)

    line = line_after(contact, away, heard)

    assert ("ann by sms", "delivered", 2) == (line.receiver, line.outcome, line.tries)
    assert [(2, [("sms", "answered 503", False)]), (3, [("sms", "201", True)])] == log_of(line)
