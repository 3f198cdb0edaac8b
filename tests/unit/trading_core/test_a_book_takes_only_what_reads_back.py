"""What is stored is not trusted to be as it was: a Book takes a fact or a snapshot whole, or says so."""

from __future__ import annotations

import msgspec
import pytest

from trading_orchestrator.storage.ports import JournalCorrupt
from trading_orchestrator.trading.book import Book, SnapshotDamaged
from trading_orchestrator.trading.orders.stored import RowDamaged, named_order, revived_order, stored_trade
from trading_orchestrator.trading.permit_facts import DeskArmed


def armed_book() -> Book:
    book = Book("paper", account="sim", timeline="t")
    book.record([DeskArmed(by="ann", reason="it is time", account="sim", live=True)], at_ns=5)
    return book


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"by":7}', b'{"by":"\xff"}'])
def test_a_body_that_is_not_of_its_kind_is_a_damaged_journal(body: bytes) -> None:
    book = armed_book()

    with pytest.raises(JournalCorrupt, match=r"^fact 2 of stream desk/paper cannot be read as desk.armed \(.*\): stop"):
        book.apply("desk.armed", body, 6)
    assert 1 == book.seq


def test_a_snapshot_reads_back_as_it_was_written() -> None:
    snapshot = armed_book().to_snapshot()

    assert Book.from_snapshot(snapshot).permit == armed_book().permit
    assert snapshot == Book.from_snapshot(snapshot).to_snapshot()


def test_every_other_byte_of_a_snapshot_is_noticed() -> None:
    snapshot = armed_book().to_snapshot()
    taken = []
    for at in range(len(snapshot)):
        changed = snapshot[:at] + bytes([snapshot[at] ^ 1]) + snapshot[at + 1 :]
        try:
            taken.append((at, Book.from_snapshot(changed).to_snapshot()))
        except SnapshotDamaged:
            continue

    # Nothing but the name of the checksum: then it is a snapshot as releases without checksums wrote it.
    assert {snapshot} == {again for _, again in taken}
    assert len(b'"checksum":') >= len(taken)


def test_a_snapshot_of_a_release_without_checksums_is_taken() -> None:
    snapshot = armed_book().to_snapshot()
    old = snapshot.partition(b',"checksum":')[0] + b"}"

    assert snapshot == Book.from_snapshot(old).to_snapshot()
    assert msgspec.json.decode(old) == {
        key: value for key, value in msgspec.json.decode(snapshot).items() if key != "checksum"
    }


@pytest.mark.parametrize("read", [stored_trade, revived_order, named_order])
def test_a_damaged_row_says_what_brings_it_back(read: object) -> None:
    assert callable(read)
    for value in (b"{", b'{"cl_ord_id":7}', b'"\xff"'):
        with pytest.raises(RowDamaged, match="run `journal rebuild-projections`"):
            read(value)
