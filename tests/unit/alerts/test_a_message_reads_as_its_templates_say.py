"""Templates: holes are filled, nothing in them runs, and a hole that can never be filled is refused at the start."""

from __future__ import annotations

import pytest

from tests.unit.alerts.post import NOW_NS, alert, message
from trading_orchestrator.perpetual_operations.alerts.templates.links import links_of
from trading_orchestrator.perpetual_operations.alerts.templates.scope import OF_MESSAGE
from trading_orchestrator.perpetual_operations.alerts.templates.template import TemplateRefused, read_template
from trading_orchestrator.perpetual_operations.alerts.templates.texts import TextConfig, read_texts

URL = "https://ops.example"


def filled(text: str, **scope: str | dict[str, str]) -> str:
    return read_template(text, OF_MESSAGE).filled(scope)


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("plain { } text", "plain { } text"),
        ("{{ status }}!", "FIRING!"),
        ("{{status}}{{ status }}", "FIRINGFIRING"),
        ("host {{ labels.host }}", "host a"),
        ('{{ summary or labels.nothing or "no word" }}', "no word"),
        ('{{ summary or name or "no word" }}', "Down"),
        ('{{ "a or b" }}', "a or b"),
        ("{{ labels.nothing }}", ""),
    ],
)
def test_a_hole_is_filled_with_the_first_that_is_there(text: str, reads: str) -> None:
    assert reads == filled(text, status="FIRING", name="Down", labels={"host": "a"})


def test_what_fills_a_hole_is_never_read_as_a_template() -> None:
    assert "{{ status }}" == filled("{{ summary }}", summary="{{ status }}", status="FIRING")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ stattus }}", "did you mean `status`"),
        ("{{ labels }}", "expected labels.NAME"),
        ("{{ status.x }}", "expected status alone"),
        ("{{ status", "expected every {{ to have its }}"),
        ("status }}", "expected every {{ to have its }}"),
        ("{{ status() }}", "expected a name"),
        ("{{ labels.a.b }}", "expected a name"),
        ("{{ }}", "expected a name"),
        ("{{ labels.__class__.x }}", "expected a name"),
        ("{{ status or }}", "expected a name"),
    ],
)
def test_a_hole_that_can_never_be_filled_is_refused(text: str, reason: str) -> None:
    with pytest.raises(TemplateRefused, match=reason.replace("{", r"\{")):
        read_template(text, OF_MESSAGE)


def test_a_message_says_what_happened_and_where_to_go_next() -> None:
    down = alert("a", severity="critical", summary="The venue is away.", runbook="venue-away")
    words = read_texts(TextConfig(), URL).words(message(alerts=[down]))

    assert "[FIRING] The venue is away. (critical, 1 firing)" == words.subject
    assert [
        "FIRING: 1 firing, at 2026-11-22 12:00:00 UTC.",
        "",
        "FIRING critical Down: The venue is away.",
        "  since 2026-11-22 12:00:00 UTC, until now",
        "  incident: https://ops.example/dashboard#alert-a",
        "  chart:    https://ops.example/dashboard#hour-title",
        "  runbook:  https://ops.example/runbooks/venue-away",
    ] == words.text.splitlines()


def test_a_message_of_several_alerts_tells_each_and_the_worst_that_fires() -> None:
    told = [
        alert("a", severity="warning", summary="A"),
        alert("b", severity="critical", summary="B", ends_at_ns=NOW_NS),
    ]
    words = read_texts(TextConfig(), "").words(message(alerts=told))

    assert "[FIRING] A and 1 more (warning, 1 firing, 1 resolved)" == words.subject
    assert ["FIRING warning Down: A", "RESOLVED critical Down: B"] == words.text.splitlines()[2::6]


def test_of_several_alerts_the_worst_that_fires_speaks_for_all() -> None:
    told = [
        alert("a", summary="A"),
        alert("b", severity="critical", summary="B"),
        alert("c", severity="odd", summary="C"),
    ]
    whole = message(alerts=told)

    assert ["FIRING", "critical:", "B", "and", "2", "more", "(3", "firing)"] == (
        read_texts(TextConfig(), "", is_short=True).words(whole).text.split()
    )


def test_a_subject_is_one_line_whatever_a_label_holds() -> None:
    told = alert("a", summary="first\r\nBcc: somebody@else.example")

    assert "\n" not in read_texts(TextConfig(), URL).words(message(alerts=[told])).subject


def test_a_short_text_is_one_line_and_an_own_text_wins() -> None:
    told = message(alerts=[alert("a", summary="Away.")])

    assert "FIRING warning: Away. (1 firing) https://ops.example/dashboard#alert-a\n" == (
        read_texts(TextConfig(), URL, is_short=True).words(told).text
    )
    assert (
        "Down on a\n"
        == read_texts(TextConfig(head="{{ name }} on {{ labels.host }}"), "", is_short=True).words(told).text
    )


def test_a_link_that_an_annotation_gives_in_full_wins() -> None:
    own = alert("a/b", incident_url="https://i.example", chart_url="https://c.example", runbook_url="https://r.example")

    assert {"incident": "https://i.example", "chart": "https://c.example", "runbook": "https://r.example"} == links_of(
        own, URL
    )
    assert "https://ops.example/dashboard#alert-a%2Fb" == links_of(alert("a/b"), URL + "/")["incident"]
    assert {"incident": "", "chart": "", "runbook": "runbooks/x.md"} == links_of(alert("a", runbook="x"), "")
