"""Times are local and absolute, spans have a unit that fits, amounts have as many digits as a venue quotes."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from trading_orchestrator.cli.display import amounts, counted, local_moment, local_time, offset, rounded, toned


@pytest.fixture
def in_kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_kolkata")
def test_a_moment_is_local_and_names_its_offset_from_utc() -> None:
    assert "2023-11-15 03:43:20.123+0530" == local_moment(1_700_000_000_123_456_789)
    assert "03:43:20.123" == local_time(1_700_000_000_123_456_789)
    assert "" == local_moment(0)


def test_a_span_has_the_unit_that_fits() -> None:
    spans = (0.0, 2.104, -2.1, 1_014.0, 599_000.0, 900_000.0, 86_400_000.0)

    assert ["+0.0 ms", "+2.1 ms", "-2.1 ms", "+1.014 s", "+599.000 s", "+15.0 min", "+24.0 h"] == list(
        map(offset, spans)
    )


def test_amounts_are_rounded_for_the_eye_only() -> None:
    assert "-0.16985233" == rounded("-0.1698523254930210966368840952")
    assert "0" == rounded("-0.000000001")
    assert "0.65 EUR, 0.631516 USDT" == amounts({"USDT": "0.631516", "EUR": "0.65"})


def test_one_thing_is_no_plural() -> None:
    assert ["0 rules", "1 rule", "1,200 rules"] == [counted(count, "rule") for count in (0, 1, 1200)]


def test_a_status_keeps_its_word_under_the_colour() -> None:
    assert "[yellow]unknown[/]" == toned("unknown")
    assert "pondering" == toned("pondering")
    assert r"\[x]" == toned("[x]")
