"""The incarnation file: proof of a process's life and death, and its last words.

It is locked (flock) for as long as the process lives and mapped into memory, so a sign of life costs a store and
no system call, and what was stored survives `kill -9`. Every incarnation is a new inode: whoever waits for the old
one to die learns of it even if a namesake starts in the same instant.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from trading_orchestrator.errors import Refused
from trading_orchestrator.journal import emergency_area
from trading_orchestrator.journal.emergency_area import EMERGENCY_AT, SIZE_BYTES
from trading_orchestrator.kernel.clock import Clock

MAGIC = b"TOINCAR1"
_HEADER = struct.Struct(">8sqqq36s4xq")  # magic, pid, started (wall), started (boot), boot id, heartbeat (boot)
_HEARTBEAT_AT = 72
_HEARTBEAT = struct.Struct(">q")
_SLOT_IN_USE_AT = 80
_ENDING_AT = 96
_ENDING = struct.Struct(">4si?")  # magic, exit code, whether the keeper ended it because its loop stood still
_ENDED = b"ENDS"
_SLOTS_AT = (128, 384)
_SLOT = struct.Struct(">H254s")
NAME_BYTES_MAX = 254
_GUARD = ".guard"
SENT_BY_OTHERS = frozenset((signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT))


class NodeAlive(Refused):
    """A living process holds this node name. Facts: node, pid."""

    code = "incarnation.node_alive"


class IncarnationUnwritable(Refused):
    """The directory of incarnation files cannot be written. Facts: path."""

    code = "incarnation.unwritable"


@dataclass(frozen=True)
class Ending:
    """How a process ended, as its keeper saw it. `code`: its exit code, negative for the signal that ended it.

    stood_still: the keeper ended it, because its loop did not turn.
    """

    code: int
    stood_still: bool = False

    @property
    def by_itself(self) -> bool:
        """Return whether it ended by what it did itself; of a process that was at work, 0 is a crash as well."""
        return self.stood_still or -self.code not in SENT_BY_OTHERS


@dataclass(frozen=True)
class LastWords:
    """What an incarnation file says. Times are nanoseconds since boot `boot_id`, but for `started_wall_ns`.

    ending: None until the keeper, which alone can know, has noted it.
    """

    node: str
    pid: int
    started_wall_ns: int
    started_boot_ns: int
    boot_id: str
    heartbeat_boot_ns: int
    now_running: str
    ending: Ending | None = None


class Incarnation:
    """This process's own file. Keep it open until the process ends; never fork without exec while it is."""

    def __init__(self, node: str, fd: int, clock: Clock) -> None:
        self.node = node
        self._fd = fd
        self._clock = clock
        self._map = mmap.mmap(fd, SIZE_BYTES)
        self._slot = 0
        self._running = ""

    @classmethod
    def hold(cls, directory: Path, node: str, *, clock: Clock, boot_id: str) -> Incarnation:
        """Create and lock `directory/node`.

        Raises:
            NodeAlive: a living process has this name: it goes on, and we must not start.
            IncarnationUnwritable: make the data directory writable, or free space on its disk.
        """
        path = path_of(directory, node)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with guarded(directory):
                _refuse_if_alive(path, node)
                fd = _create_locked(path, clock, boot_id)
        except OSError as error:
            raise IncarnationUnwritable(
                f"{path} cannot be written ({error.strerror}): make the data directory writable and free its disk",
                path=str(path),
            ) from error
        return cls(node, fd, clock)

    def beat(self) -> None:
        """Leave a sign of life. Call from the event loop that must not hang."""
        _HEARTBEAT.pack_into(self._map, _HEARTBEAT_AT, self._clock.boot_ns())

    def now_running(self, name: str) -> None:
        """Name the strategy that has the loop now, "" when none has; a death is attributed by it.

        Written beside the name in force and then switched to, so that a death in between leaves a whole name.
        """
        if name == self._running:
            return
        data = name.encode()[:NAME_BYTES_MAX]
        self._slot ^= 1
        _SLOT.pack_into(self._map, _SLOTS_AT[self._slot], len(data), data)
        self._map[_SLOT_IN_USE_AT] = self._slot
        self._running = name

    def note(self, record: bytes, *, kept: int = 0) -> None:
        """Leave a record in the emergency area, which was set aside: neither a full disk nor a death takes it away.

        Args:
            kept: so many slots have to be left for records that stand for many.

        Raises:
            EmergencyAreaFull: nothing was written.
        """
        emergency_area.write(self._map, record, kept=kept)

    def close(self) -> None:
        """Let go of the lock: to all who watch, this process is now dead."""
        if self._fd >= 0:
            self._map.close()
            os.close(self._fd)
            self._fd = -1


def path_of(directory: Path, node: str) -> Path:
    """Return the node's file.

    Raises:
        Refused: the name could leave the directory or hide in it.
    """
    if not node or node.startswith(".") or "/" in node or "\0" in node:
        raise Refused(f"expected a node name without '/' that does not start with '.', was {node!r}", node=node)
    return directory / node


def is_locked(fd: int) -> bool:
    """Return whether a living process holds the file. Ours is a shared lock, held for an instant."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def read_words(path: Path) -> LastWords | None:
    """Return what the file says, None when there is no such file or it is no incarnation file."""
    try:
        data = path.read_bytes()[:EMERGENCY_AT]
    except FileNotFoundError:
        return None
    if len(data) < EMERGENCY_AT or not data.startswith(MAGIC):
        return None
    _, pid, wall_ns, boot_ns, boot_id, heartbeat_ns = _HEADER.unpack_from(data)
    size, name = _SLOT.unpack_from(data, _SLOTS_AT[data[_SLOT_IN_USE_AT] & 1])
    running = name[:size].decode(errors="ignore")
    magic, code, stood_still = _ENDING.unpack_from(data, _ENDING_AT)
    ending = Ending(code, stood_still) if magic == _ENDED else None
    return LastWords(path.name, pid, wall_ns, boot_ns, boot_id.decode(), heartbeat_ns, running, ending)


def note_ending(path: Path, ending: Ending) -> None:
    """Write into a dead process's file how it ended, for its heir. For its parent alone; no file, no note.

    One system call on space set aside at the start, so a full disk does not prevent it.
    """
    with suppress(OSError):
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(fd, _ENDING.pack(_ENDED, ending.code, ending.stood_still), _ENDING_AT)
        finally:
            os.close(fd)


@contextmanager
def guarded(directory: Path) -> Iterator[None]:
    """Nobody else creates or clears incarnation files of this directory meanwhile (a few system calls)."""
    fd = os.open(directory / _GUARD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _refuse_if_alive(path: Path, node: str) -> None:
    with suppress(FileNotFoundError), path.open("rb") as file:
        if is_locked(file.fileno()):
            words = read_words(path)
            pid = words.pid if words else 0
            raise NodeAlive(f"node {node} is already running as process {pid}", node=node, pid=pid)


def _create_locked(path: Path, clock: Clock, boot_id: str) -> int:
    """Make the file whole and locked under another name first: nobody ever sees it unlocked or half written."""
    coming = path.with_name(f".{path.name}.new")
    fd = os.open(coming, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.posix_fallocate(fd, 0, SIZE_BYTES)
        now_ns = clock.boot_ns()
        os.pwrite(fd, _HEADER.pack(MAGIC, os.getpid(), clock.wall_ns(), now_ns, boot_id.encode(), now_ns), 0)
        coming.replace(path)
    except BaseException:  # the descriptor holds the lock: nobody else could ever take it
        os.close(fd)
        raise
    return fd
