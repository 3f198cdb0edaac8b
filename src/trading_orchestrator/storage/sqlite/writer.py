"""The writer: groups of works in one synced transaction, and the truth after a COMMIT that failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw
import msgspec

from trading_orchestrator.errors import Broken, OrchestratorError, Refused
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.storage.ports import CommitUnknown, StorageUnavailable
from trading_orchestrator.storage.sqlite.failures import explain
from trading_orchestrator.storage.sqlite.transaction import WriteTransaction
from trading_orchestrator.storage.sqlite.works import Work

GROUP_NS = 2_000_000
GROUP_WORKS = 512


class Outcome(msgspec.Struct, frozen=True):
    """A work's answer, or why there is none."""

    value: Any = None
    error: BaseException | None = None


Works = Sequence[Work[Any]]


def nothing_more() -> Works:
    """The committer's answer when nobody else is waiting."""
    return ()


class Writer:
    """Holds the only writing connection of this process. Call from one thread at a time."""

    def __init__(self, path: Path, connect: Callable[[], apsw.Connection], *, clock: Clock, boot_id: str) -> None:
        self._path = path
        self._connect = connect
        self._clock = clock
        self._boot_id = boot_id
        self._connection: apsw.Connection | None = None
        self._locked_out_ns: int | None = None
        self._reopens = False
        self.wal_pages = 0
        self._open()

    def commit(self, works: Works, more: Callable[[], Works] = nothing_more) -> list[Outcome]:
        """Run the works, and those that arrive within 2 ms, in one transaction; return their outcomes in order.

        Everything answered without an error is on disk. After an error that is not one caller's own, the
        group is rolled back and its works run one by one, so that one cannot fail the others.
        """
        taken = list(works)
        try:
            connection = self._begin()
        except apsw.Error as error:
            return [Outcome(error=explain(error, self._path)) for _ in taken]
        try:
            transaction = WriteTransaction(connection, self._clock, self._boot_id)
            outcomes = self._apply_all(taken, more, transaction)
            transaction.flush()
        except Exception as error:  # noqa: BLE001 - the boundary of a group: each work hears its own error
            self._roll_back()
            return self._one_by_one(taken, error)
        try:
            connection.execute("COMMIT")
        except apsw.Error as error:
            return self._settle(error, transaction, outcomes)
        return outcomes

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close(True)
            self._connection = None

    def locked_out_s(self) -> float:
        """Return for how long another connection has kept the write lock from us, 0 when it does not; any thread."""
        since_ns = self._locked_out_ns
        return 0.0 if since_ns is None else (self._clock.monotonic_ns() - since_ns) / 1e9

    def reopen(self) -> None:
        """Let the next commit open the file anew; any thread."""
        self._reopens = True

    def _begin(self) -> apsw.Connection:
        if self._reopens:
            self._reopens = False
            self.close()
        if self._locked_out_ns is None:
            self._locked_out_ns = self._clock.monotonic_ns()
        try:
            connection = self._connection or self._open()
            connection.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:
            raise  # the lock is still another's: the wait goes on with the next group
        except apsw.Error:
            self._locked_out_ns = None
            raise
        self._locked_out_ns = None
        return connection

    def _apply_all(self, taken: list[Work[Any]], more: Callable[[], Works], to: WriteTransaction) -> list[Outcome]:
        until_ns = self._clock.monotonic_ns() + GROUP_NS
        outcomes: list[Outcome] = []
        while len(outcomes) < len(taken):
            outcomes += [_apply(work, to) for work in taken[len(outcomes) :]]
            if len(taken) < GROUP_WORKS and self._clock.monotonic_ns() < until_ns:
                taken += more()
        return outcomes

    def _one_by_one(self, taken: Works, error: Exception) -> list[Outcome]:
        if len(taken) > 1:
            return [self.commit([work])[0] for work in taken]
        if isinstance(error, OrchestratorError):
            return [Outcome(error=error)]
        if isinstance(error, apsw.Error | UnicodeDecodeError):
            return [Outcome(error=explain(error, self._path))]
        return [Outcome(error=Broken(f"journal {self._path}: {type(error).__name__}: {error}"))]

    def _roll_back(self) -> None:
        """End the transaction; a connection that cannot do even that is opened anew by the next group."""
        if self._connection is not None and self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except apsw.Error:
                self.close()

    def _settle(self, error: apsw.Error, transaction: WriteTransaction, outcomes: list[Outcome]) -> list[Outcome]:
        """Find out what a failed COMMIT did, and make it so durably, before anybody is answered.

        It landed: a full checkpoint writes it a second time, since a page whose sync failed once may be lost
        although a later sync succeeds. It did not: its frames may still lie whole behind the end of the log,
        where crash recovery would revive them, so a commit of our own takes their place. A full disk needs
        no such commit: the frame that makes a commit whole is the last one written.
        """
        try:
            self.close()
            connection = self._open()
            if transaction.landed(connection):
                _write_back(connection)
                return outcomes
            if not isinstance(error, apsw.FullError):
                _overwrite_log_tail(connection)
        except (apsw.Error, StorageUnavailable) as second:
            sentence = f"journal {self._path}: COMMIT failed ({error}) and so did looking ({second})"
            return [_unless_refused(was, CommitUnknown(sentence, path=str(self._path))) for was in outcomes]
        return [_unless_refused(was, explain(error, self._path)) for was in outcomes]

    def _open(self) -> apsw.Connection:
        self._connection = connection = self._connect()
        connection.set_wal_hook(self._note_wal)
        return connection

    def _note_wal(self, connection: apsw.Connection, database: str, pages: int) -> int:
        self.wal_pages = pages
        return apsw.SQLITE_OK


def _apply(work: Work[Any], transaction: WriteTransaction) -> Outcome:
    try:
        return Outcome(work.apply(transaction))
    except Refused as refusal:
        return Outcome(error=refusal)


def _write_back(connection: apsw.Connection) -> None:
    in_log, written = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_FULL)
    if in_log != written:
        raise StorageUnavailable("a reader kept the log from being written back", in_log=in_log, written=written)


def _overwrite_log_tail(connection: apsw.Connection) -> None:
    connection.execute(
        "BEGIN IMMEDIATE;"
        "INSERT INTO meta (key, value) VALUES ('failed_commits', '1')"
        " ON CONFLICT DO UPDATE SET value = CAST(value AS INTEGER) + 1;"
        "COMMIT"
    )


def _unless_refused(outcome: Outcome, error: OrchestratorError) -> Outcome:
    return outcome if outcome.error else Outcome(error=error)
