"""A note in the emergency area survives its process, needs no disk space, and goes once somebody has journaled it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.faults.injectors import small_disk
from trading_orchestrator.journal.deaths import clear_dead
from trading_orchestrator.journal.emergency_area import RECORD_BYTES_MAX, SLOTS, EmergencyAreaFull
from trading_orchestrator.journal.emergency_notes import EmergencyNotes
from trading_orchestrator.journal.incarnation import Incarnation
from trading_orchestrator.kernel.clock import SystemClock

BOOT = "0" * 36


def hold(directory: Path, node: str) -> tuple[Incarnation, EmergencyNotes]:
    incarnation = Incarnation.hold(directory, node, clock=SystemClock(), boot_id=BOOT)
    return incarnation, EmergencyNotes(directory, incarnation)


def fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def records(notes: EmergencyNotes) -> list[tuple[str, bytes]]:
    return [(noted.node, noted.record) for noted in notes.noted()]


def test_a_successor_reads_and_strikes_what_a_dead_node_noted(tmp_path: Path) -> None:
    dead, its_notes = hold(tmp_path, "a-1")
    its_notes.note(b"cancel one")
    its_notes.note(b"cancel two")
    dead.close()
    heir, notes = hold(tmp_path, "b-1")
    notes.note(b"cancel three")
    assert [("a-1", b"cancel one"), ("a-1", b"cancel two"), ("b-1", b"cancel three")] == records(notes)

    for noted in notes.noted()[::2]:
        notes.strike(noted)
    assert [("a-1", b"cancel two")] == records(notes)
    heir.close()


def test_a_dead_file_is_cleared_away_only_when_its_notes_are_journaled(tmp_path: Path) -> None:
    dead, its_notes = hold(tmp_path, "a-1")
    its_notes.note(b"cancel one")
    dead.close()
    heir, notes = hold(tmp_path, "b-1")
    assert [] == clear_dead(tmp_path)

    notes.strike(notes.noted()[0])
    assert ["a-1"] == clear_dead(tmp_path)
    heir.close()


def test_a_struck_slot_is_used_again_and_a_full_area_refuses(tmp_path: Path) -> None:
    incarnation, notes = hold(tmp_path, "a-1")
    for number in range(SLOTS):
        notes.note(str(number).encode())
    with pytest.raises(EmergencyAreaFull):
        notes.note(b"one too many")

    notes.strike(notes.noted()[7])
    notes.note(b"again")
    assert ("a-1", b"again") == records(notes)[7]
    assert SLOTS == len(notes.noted())
    incarnation.close()


def test_a_record_that_does_not_fit_is_refused_whole(tmp_path: Path) -> None:
    incarnation, notes = hold(tmp_path, "a-1")
    with pytest.raises(EmergencyAreaFull):
        notes.note(bytes(RECORD_BYTES_MAX + 1))
    notes.note(b"x" * RECORD_BYTES_MAX)

    assert [("a-1", b"x" * RECORD_BYTES_MAX)] == records(notes)
    incarnation.close()


def test_notes_are_taken_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        incarnation, notes = hold(disk / "incarnations", "a-1")
        with pytest.raises(OSError, match="No space left"):
            fill(disk / "ballast")
        for number in range(SLOTS):
            notes.note(str(number).encode())

        assert SLOTS == len(notes.noted())
        incarnation.close()
