"""The venue's log: append-only JSON lines, given to the system before any answer leaves.

It survives `kill -9` of the venue, not the loss of the host: nothing is fsynced.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from trading_orchestrator.practice_venue.facts import AnyFact, Fact

_decoder: msgspec.json.Decoder[AnyFact] = msgspec.json.Decoder(AnyFact)
_encoder = msgspec.json.Encoder()


class LogCorrupt(Exception):
    """A line in the middle of the log cannot be read; the venue must not start on it."""


class VenueLog:
    """Appends batches of facts. One process at a time: the caller holds the directory's lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def read(self) -> Iterator[AnyFact]:
        """Yield every fact of every complete batch, and cut an unfinished batch off the end."""
        kept_bytes = 0
        read_bytes = 0
        batch: list[AnyFact] = []
        for number, line in enumerate(self._lines(), start=1):
            read_bytes += len(line)
            if not line.endswith(b"\n"):
                break
            fact = self._decoded(line, number)
            batch.append(fact)
            if not fact.more:
                yield from batch
                batch.clear()
                kept_bytes = read_bytes
        if self._path.exists() and self._path.stat().st_size > kept_bytes:
            os.truncate(self._path, kept_bytes)

    def append(self, facts: Sequence[Fact]) -> None:
        """Write the batch with one write call."""
        for fact in facts:
            fact.more = fact is not facts[-1]
        data = b"".join([_encoder.encode(fact) + b"\n" for fact in facts])
        try:
            while data:
                data = data[os.write(self._descriptor(), data) :]
        except OSError as error:
            # Law: what is not in the log did not happen, so the venue dies before anyone hears of it.
            sys.stderr.write(f"practice venue: cannot write {self._path}: {error}\n")
            os._exit(1)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _descriptor(self) -> int:
        if self._fd < 0:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._fd

    def _lines(self) -> Iterator[bytes]:
        if self._path.exists():
            with self._path.open("rb") as file:
                yield from file

    def _decoded(self, line: bytes, number: int) -> AnyFact:
        try:
            return _decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise LogCorrupt(f"{self._path} line {number}: {error}") from error
