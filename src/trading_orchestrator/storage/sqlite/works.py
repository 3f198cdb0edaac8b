"""What the writer can be asked to do; each work is all or nothing within its group's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import msgspec

from trading_orchestrator.storage.ports import Fact, Fence, LeaseHeld, LeaseRow, StaleEpoch
from trading_orchestrator.storage.sqlite.transaction import Draft, RowPut, WriteTransaction

T_co = TypeVar("T_co", covariant=True)


class Work(Protocol[T_co]):
    """A step of a write transaction."""

    def apply(self, transaction: WriteTransaction) -> T_co:
        """Return the answer for the caller.

        Raises:
            Refused: raised before anything was staged, so that only this caller hears of it.
        """
        ...


class Append(msgspec.Struct, frozen=True):
    """Facts and their rows, under a fence when one is named."""

    drafts: Sequence[Draft]
    node: str
    fence: Fence | None
    puts: Sequence[RowPut]

    def apply(self, transaction: WriteTransaction) -> list[Fact]:
        if self.fence is not None:
            transaction.check_fence(self.fence)
        epoch = self.fence.epoch if self.fence else 0
        return transaction.add(self.drafts, node=self.node, epoch=epoch, puts=self.puts)


class ClaimLease(msgspec.Struct, frozen=True):
    """Take a free, expired or proven orphaned lease: the epoch rises by one, also for the holder itself."""

    name: str
    holder: str
    ttl_ns: int
    dead_holder: str

    def apply(self, transaction: WriteTransaction) -> LeaseRow:
        row, now_ns = transaction.lease(self.name), transaction.boot_ns
        if row is not None and row.holder not in (self.holder, self.dead_holder):
            self._refuse_if_alive(row, now_ns, transaction.boot_id)
        epoch = row.epoch + 1 if row else 1
        claimed = LeaseRow(self.name, self.holder, epoch, now_ns + self.ttl_ns, transaction.boot_id)
        transaction.store_lease(claimed)
        return claimed

    def _refuse_if_alive(self, row: LeaseRow, now_ns: int, boot_id: str) -> None:
        rest_ns = row.expires_ns - now_ns
        if row.boot_id == boot_id and rest_ns > 0:
            raise LeaseHeld(
                f"lease {self.name} is held by {row.holder} for another {rest_ns / 1e9:.1f} s",
                lease=self.name,
                holder=row.holder,
                epoch=row.epoch,
                expires_in_s=rest_ns / 1e9,
            )


class RenewLease(msgspec.Struct, frozen=True):
    """Push the expiry out, as long as nobody else has claimed: a late renewal of one's own lease is welcome."""

    name: str
    holder: str
    epoch: int
    ttl_ns: int

    def apply(self, transaction: WriteTransaction) -> LeaseRow:
        row = transaction.lease(self.name)
        if row is None or (row.holder, row.epoch) != (self.holder, self.epoch):
            found = row.epoch if row else 0
            raise StaleEpoch(
                f"lease {self.name}: expected {self.holder} with epoch {self.epoch}, "
                f"was {row.holder if row else 'nobody'} with epoch {found}",
                lease=self.name,
                epoch=self.epoch,
                found=found,
            )
        renewed = msgspec.structs.replace(
            row, expires_ns=transaction.boot_ns + self.ttl_ns, boot_id=transaction.boot_id
        )
        transaction.store_lease(renewed)
        return renewed


class ReleaseLease(msgspec.Struct, frozen=True):
    """Let the lease expire now; a stale release does nothing.

    The expiry becomes 0, so that a lease given up in order differs from one that ran out.
    """

    name: str
    holder: str
    epoch: int

    def apply(self, transaction: WriteTransaction) -> None:
        row = transaction.lease(self.name)
        if row is not None and (row.holder, row.epoch) == (self.holder, self.epoch):
            transaction.store_lease(msgspec.structs.replace(row, expires_ns=0))
