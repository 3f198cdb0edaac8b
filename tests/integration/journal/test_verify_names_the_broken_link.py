"""`verify` walks every chain and names the first link that does not hold; the file stays as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import apsw
import pytest
from typer.testing import CliRunner

from tests.integration.journal.engine import append_number
from trading_orchestrator.app.journal_check import verify
from trading_orchestrator.cli.main import build
from trading_orchestrator.journal.verify import VerifyReport
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.ports import JournalCorrupt
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.storage.sqlite.failures import JournalMissing

STREAMS = ("cluster", "config", "access")


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A closed journal of 300 facts, by turns in three streams, with bodies that fill many pages."""
    path = tmp_path / "journal.db"
    store = await open_store(path, clock=SystemClock())
    await asyncio.gather(*(append_number(store, number, None, stream=STREAMS[number % 3]) for number in range(300)))
    await store.close()
    return path


def tampered(path: Path, *statements: str) -> VerifyReport:
    """Run SQL on the file behind the journal's back, with its guards taken off, and verify."""
    connection = apsw.Connection(str(path))
    connection.execute("DROP TRIGGER facts_are_not_changed; DROP TRIGGER facts_are_not_deleted")
    for statement in statements:
        connection.execute(statement)
    connection.close()
    return verify(path)


def first_break(report: VerifyReport) -> tuple[str, int, int, str]:
    assert report.broken is not None
    link = report.broken
    return link.stream, link.seq, link.pos, link.what.split(":")[0]


def test_a_whole_journal_is_said_to_be_whole(path: Path) -> None:
    before = path.read_bytes()

    assert VerifyReport(facts=300, streams=3, last_pos=300, broken=None) == verify(path)
    assert before == path.read_bytes()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("body = CAST('{\"number\":999}' AS BLOB)", "hash"),
        ("kind = 'number.forged'", "hash"),
        ("at_ns = at_ns + 1", "hash"),
        ("epoch = 7", "hash"),
        ("node = 'other'", "hash"),
        ("prev_hash = zeroblob(32)", "prev_hash"),
        ("hash = zeroblob(32)", "hash"),
    ],
)
def test_a_changed_field_is_named(path: Path, change: str, field: str) -> None:
    report = tampered(path, f"UPDATE facts SET {change} WHERE pos = 152")

    assert ("config", 51, 152, field) == first_break(report)
    assert 151 == report.facts


def test_a_seq_out_of_line_is_named_as_it_was_found(path: Path) -> None:
    assert ("config", 1000, 152, "seq") == first_break(tampered(path, "UPDATE facts SET seq = 1000 WHERE pos = 152"))


def test_a_fact_rewritten_with_a_hash_of_its_own_breaks_its_successor(path: Path) -> None:
    report = tampered(
        path,
        "CREATE TEMP TABLE other AS SELECT * FROM facts WHERE pos = 149",
        "UPDATE facts SET body = (SELECT body FROM other) WHERE pos = 152",
    )

    assert ("config", 51, 152, "hash") == first_break(report)


def test_a_deleted_fact_leaves_a_gap(path: Path) -> None:
    assert ("access", 51, 153, "pos") == first_break(tampered(path, "DELETE FROM facts WHERE pos = 152"))


def test_a_deleted_end_misses_from_its_head(path: Path) -> None:
    report = tampered(path, "DELETE FROM facts WHERE pos > 297")

    assert report.broken is not None
    assert ("access", 100) == (report.broken.stream, report.broken.seq)
    assert report.broken.what.startswith("head: expected seq 100 at pos 300")


def test_a_head_moved_back_is_found(path: Path) -> None:
    statement = "UPDATE heads SET (seq, pos, hash) = (SELECT seq, pos, hash FROM facts WHERE pos = 149) WHERE id = 2"

    assert ("config", 51, 299, "head") == first_break(tampered(path, statement))


def test_two_facts_that_change_places_are_found(path: Path) -> None:
    report = tampered(
        path,
        "UPDATE facts SET pos = -1 WHERE pos = 152",
        "UPDATE facts SET pos = 152 WHERE pos = 153",
        "UPDATE facts SET pos = 153 WHERE pos = -1",
    )

    assert ("access", 51, 152, "hash") == first_break(report)


def damaged(path: Path, change: Callable[[bytearray], object]) -> None:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


def test_one_flipped_bit_in_a_body_is_named(path: Path) -> None:
    damaged(path, lambda data: data.__setitem__(data.index(b'{"number":151}') + 10, ord("3")))

    assert ("config", 51, 152, "hash") == first_break(verify(path))


def type_of_epoch(data: bytearray) -> int:
    """Return where the record of fact 152 says of which type its epoch is: in the header before its values."""
    node_and_kind = data.index(b"testnumber.counted" + b'{"number":151}')
    header = data.rindex(bytes([2 * len("test") + 13]), 0, node_and_kind)
    return header + 1


def test_a_value_that_became_another_type_is_named(path: Path) -> None:
    """Flipping a byte of a record's header does it; SQLite reads it back as if nothing were wrong."""

    def make_epoch_nothing(data: bytearray) -> None:
        at = type_of_epoch(data)
        assert 8 == data[at]  # the constant 0
        data[at] = 0  # NULL

    damaged(path, make_epoch_nothing)

    assert ("config", 51, 152, "type") == first_break(verify(path))


def test_a_name_that_is_no_text_is_placed(path: Path) -> None:
    report = tampered(path, "UPDATE facts SET kind = CAST(x'ff' AS TEXT) WHERE pos = 152")

    assert report.broken is not None
    assert 152 == report.broken.pos
    assert "a name in it is no text" in report.broken.what


def test_a_page_of_facts_overwritten_is_placed_between_what_still_reads(path: Path) -> None:
    def overwrite_page_of(data: bytearray) -> None:
        page = data.index(b'{"number":151}') // 4096
        data[page * 4096 : page * 4096 + 4096] = bytes(4096)

    damaged(path, overwrite_page_of)
    report = verify(path)

    assert report.broken is not None
    assert "the database cannot read on" in report.broken.what
    assert (report.facts, report.facts + 1) == (report.last_pos, report.broken.pos)
    assert 100 < report.broken.pos <= 152


def test_a_truncated_file_is_not_whole(path: Path) -> None:
    damaged(path, lambda data: data.__delitem__(slice(len(data) // 2, len(data))))

    report = verify(path)

    assert report.broken is not None
    assert "the database cannot read on" in report.broken.what


def test_a_damaged_index_is_found_though_every_fact_reads_well(path: Path) -> None:
    connection = apsw.Connection(str(path))
    root = next(connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'facts_by_seq'"))[0]
    connection.close()
    damaged(path, lambda data: data.__setitem__(slice((root - 1) * 4096 + 200, (root - 1) * 4096 + 4096), bytes(3896)))

    report = verify(path)

    assert (300, "every fact reads well, but the file does not") == (report.facts, first_break(report)[3])


def test_what_is_no_database_is_told_apart_from_what_is_not_there(path: Path, tmp_path: Path) -> None:
    damaged(path, lambda data: data.__setitem__(slice(0, 100), b"x" * 100))

    with pytest.raises(JournalCorrupt, match="not an SQLite database"):
        verify(path)
    with pytest.raises(JournalMissing, match="there is no journal"):
        verify(tmp_path / "none.db")


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        ((), "verified: 300 facts in 3 streams, every link holds up to pos 300"),
        (
            ("UPDATE facts SET body = CAST('{}' AS BLOB) WHERE pos = 152",),
            "BROKEN at stream config at seq 51 (pos 152)",
        ),
        (("UPDATE facts SET hash = zeroblob(32) WHERE pos = 152",), "BROKEN at stream config at seq 51 (pos 152)"),
        (("DELETE FROM facts WHERE pos = 152",), "BROKEN at stream access at seq 51 (pos 153)"),
        (("DELETE FROM facts WHERE pos > 297",), "BROKEN at stream access at seq 100 (pos 297)"),
        (
            (
                "UPDATE facts SET pos = -1 WHERE pos = 152",
                "UPDATE facts SET pos = 152 WHERE pos = 153",
                "UPDATE facts SET pos = 153 WHERE pos = -1",
            ),
            "BROKEN at stream access at seq 51 (pos 152)",
        ),
        (
            (
                "CREATE TEMP TABLE one AS SELECT * FROM facts WHERE pos = 152",
                "UPDATE facts SET (body, hash) = (SELECT body, hash FROM facts WHERE pos = 155) WHERE pos = 152",
                "UPDATE facts SET (body, hash) = (SELECT body, hash FROM one) WHERE pos = 155",
            ),
            "BROKEN at stream config at seq 51 (pos 152)",
        ),
    ],
    ids=["whole", "body", "hash", "missing", "no tail", "swapped", "swapped in a stream"],
)
def test_the_command_says_it_with_its_exit_code(path: Path, statements: Sequence[str], said: str) -> None:
    tampered(path, *statements)
    result = CliRunner().invoke(build(), ["journal", "verify", "--data-dir", str(path.parent)])

    assert (0 if not statements else 1) == result.exit_code
    assert result.output.startswith(said)


async def test_a_living_journal_is_verified_up_to_where_it_stood(path: Path) -> None:
    store = await open_store(path, clock=SystemClock())
    await append_number(store, 300, None, stream="cluster")

    assert VerifyReport(facts=301, streams=3, last_pos=301, broken=None) == verify(path)
    await store.close()
