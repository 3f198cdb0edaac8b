"""The keeper: starts nodes, waits on their exit, kills what hangs, ends all in order. Never trades."""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trading_orchestrator.errors import Refused
from trading_orchestrator.journal.incarnation import Ending
from trading_orchestrator.keeper.backoff import Backoff
from trading_orchestrator.keeper.child import Child, Phase, Spec
from trading_orchestrator.keeper.config import KeeperConfig
from trading_orchestrator.keeper.service_manager import ServiceManager
from trading_orchestrator.kernel.clock import Clock

Say = Callable[[str], None]
LastBeatNs = Callable[[Path], int | None]
NoteEnding = Callable[[Path, Ending], None]
WATCH_EVERY_S = 0.1
COURTESY_S = 0.25
READY, REFUSED = "READY", "REFUSED "
LOCK_FILE, LOCK_BYTES = "keeper.lock", 256


class DataDirInUse(Refused):
    """Another keeper runs on this data directory. Facts: data_dir, pid."""

    code = "keeper.data_dir_in_use"


class PortTaken(Refused):
    """Something else listens on the address. Facts: host, port."""

    code = "keeper.port_taken"


class NodeRefused(Refused):
    """A node said that starting again would not help; its sentence is the message."""

    code = "keeper.node_refused"


@dataclass
class Slot:
    """A place for one child at a time. `make` gives each start its own spec (names are never reused).

    after: the slot that must have been READY once before this one starts for the first time.
    outlasts: it is asked to end only when every slot that does not outlast has ended (a venue, after the nodes).
    """

    name: str
    make: Callable[[], Spec]
    backoff: Backoff
    after: str | None = None
    outlasts: bool = False
    child: Child | None = None
    due_ns: int = 0
    was_ready: bool = field(default=False)

    @property
    def is_standby(self) -> bool:
        """Return whether a node runs here that could be taking over."""
        return not self.outlasts and self.child is not None and self.child.phase is Phase.READY


def check_not_run(data_dir: Path) -> None:
    """Return unless another keeper runs on the directory; nothing in it is changed.

    Raises:
        DataDirInUse: another keeper holds it.
    """
    with contextlib.suppress(FileNotFoundError):
        os.close(_locked(data_dir, os.O_RDONLY, fcntl.LOCK_SH))


def lock_data_dir(data_dir: Path) -> int:
    """Return a descriptor that holds the directory for this keeper until the process ends.

    Raises:
        DataDirInUse: another keeper holds it.
    """
    descriptor = _locked(data_dir, os.O_RDWR | os.O_CREAT, fcntl.LOCK_EX)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def _locked(data_dir: Path, flags: int, lock: int) -> int:
    descriptor = os.open(data_dir / LOCK_FILE, flags | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, lock | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = _line(os.read(descriptor, LOCK_BYTES).decode(), 0) or "?"
        os.close(descriptor)
        raise DataDirInUse(
            f"data directory {data_dir} is already run by process {pid}; stop that one, or use another --data-dir",
            data_dir=str(data_dir),
            pid=pid,
        ) from None
    return descriptor


def tell_address(lock_fd: int, host: str, port: int) -> str:
    """Let commands find the console of this data directory, and return its address."""
    address = f"http://{host}:{port}"
    os.pwrite(lock_fd, f"{os.getpid()}\n{address}\n".encode(), 0)
    return address


def told_address(data_dir: Path) -> str | None:
    """Return where the console of this directory's keeper answers, or did when it last ran; None: nobody told."""
    try:
        return _line((data_dir / LOCK_FILE).read_text(encoding="utf-8"), 1) or None
    except OSError:
        return None


def _line(text: str, number: int) -> str:
    return dict(enumerate(text.splitlines())).get(number, "").strip()


def listen(host: str, port: int) -> socket.socket:
    """Return the one listening socket that all nodes share.

    Raises:
        PortTaken: the address is in use or not ours.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"cannot listen on {host}:{port} ({error.strerror}); free the port or choose another with --port",
            host=host,
            port=port,
        ) from None
    listener.setblocking(False)
    return listener


class Keeper:
    """Runs slots until a signal ends it. One thread, no asyncio: nothing here can be blocked by a node.

    last_beat_ns: the boot clock of a node's last sign of life by its incarnation file, None before the first.
    note_ending: tells heirs how a node ended, in the same file; it is called as soon as the kernel tells us.
    `run` returns after every child has ended; it never gives up restarting before.
    """

    def __init__(
        self,
        config: KeeperConfig,
        slots: Sequence[Slot],
        *,
        clock: Clock,
        last_beat_ns: LastBeatNs,
        note_ending: NoteEnding,
        say: Say,
        service: ServiceManager,
    ) -> None:
        self._config = config
        self._slots = {slot.name: slot for slot in slots}
        self._clock = clock
        self._last_beat_ns = last_beat_ns
        self._note_ending = note_ending
        self._say = say
        self._service = service
        self._selector = selectors.DefaultSelector()
        self._stop_by_ns: int | None = None
        self._refused: str | None = None

    def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises:
            NodeRefused: a first start was refused for good; every other child has ended.
        """
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        before = [(number, signal.signal(number, self._asked_to_stop)) for number in (signal.SIGTERM, signal.SIGINT)]
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self._selector.register(wake_read, selectors.EVENT_READ, lambda: os.read(wake_read, 4096))
        try:
            while not self._finished():
                self._start_due()
                for key, _ in self._selector.select(WATCH_EVERY_S):
                    key.data()
                self._watch()
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before:
                signal.signal(number, handler)
            self._selector.close()
            os.close(wake_read)
            os.close(wake_write)
        if self._refused is not None:
            raise NodeRefused(self._refused)

    def _finished(self) -> bool:
        return self._stop_by_ns is not None and all(slot.child is None for slot in self._slots.values())

    def _asked_to_stop(self, number: int, _frame: object) -> None:
        if self._stop_by_ns is not None:
            self._say("asked again: killing what is left")
            self._signal_all(signal.SIGKILL)
            return
        self._say(f"{signal.Signals(number).name}: stopping in order")
        self._stop()

    def _stop(self) -> None:
        self._service.stopping()
        self._stop_by_ns = self._clock.boot_ns() + int(self._config.stop_deadline_s * 1e9)
        self._ask_to_end()

    def _ask_to_end(self) -> None:
        """Ask the nodes, and when the last of them has ended, those who outlast them."""
        running = [slot for slot in self._slots.values() if slot.child is not None]
        first = [slot for slot in running if not slot.outlasts]
        for slot in first or running:
            if slot.child is not None:
                slot.child.signal(signal.SIGTERM)

    def _signal_all(self, number: signal.Signals) -> None:
        for slot in self._slots.values():
            if slot.child is not None:
                slot.child.signal(number)

    def _start_due(self) -> None:
        if self._stop_by_ns is not None:
            return
        for slot in self._slots.values():
            waits = slot.after is not None and not self._slots[slot.after].was_ready
            if slot.child is None and not waits and self._clock.boot_ns() >= slot.due_ns:
                self._start(slot)

    def _start(self, slot: Slot) -> None:
        spec = slot.make()
        try:
            child = Child(spec, started_ns=self._clock.boot_ns())
        except OSError as error:  # no process, memory or descriptor left; what runs goes on
            self._start_later(slot, f"{spec.name} could not be started ({error.strerror})")
            return
        slot.child = child
        if child.unlimited_because:
            self._say(f"{child.spec.name} has no CPU ceiling here ({child.unlimited_because})")
        self._selector.register(child.ready_fd, selectors.EVENT_READ, lambda: self._heard(slot, child))
        self._selector.register(child.pid_fd, selectors.EVENT_READ, lambda: self._ended(slot, child))

    def _heard(self, slot: Slot, child: Child) -> None:
        line = child.hear()
        if line is None and child.phase is not Phase.ENDED:
            return
        self._selector.unregister(child.ready_fd)
        if line is not None and line.startswith(REFUSED) and not slot.was_ready:
            self._refused = self._refused or line.removeprefix(REFUSED)
            if self._stop_by_ns is None:
                self._stop()
        elif line is not None and not line.startswith(REFUSED):
            took_s = (self._clock.boot_ns() - child.started_ns) / 1e9
            self._say(f"{child.spec.name} (pid {child.pid}) is ready after {took_s:.2f} s")
            child.phase = Phase.READY
            slot.was_ready = True
            slot.backoff.succeeded()
            if child.spec.heartbeat_path is not None:
                self._service.ready(f"{child.spec.name} is ready")

    def _ended(self, slot: Slot, child: Child) -> None:
        if child.ready_fd in self._selector.get_map():
            self._heard_last_words(slot, child)
        self._selector.unregister(child.pid_fd)
        code = child.reap()
        if child.spec.heartbeat_path is not None:
            self._note_ending(child.spec.heartbeat_path, Ending(code, stood_still=child.doomed))
        child.close()
        slot.child = None
        if self._stop_by_ns is not None:
            if not any(other.child is not None and not other.outlasts for other in self._slots.values()):
                self._ask_to_end()
            return
        ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        self._start_later(slot, f"{child.spec.name} (pid {child.pid}) {ended}")

    def _start_later(self, slot: Slot, why: str) -> None:
        wait_s = max(slot.backoff.next_s(), self._courtesy_s(slot))
        slot.due_ns = self._clock.boot_ns() + int(wait_s * 1e9)
        again = f"in {wait_s:g} s" if wait_s else "at once"
        self._say(f"{why}; starting another {again}")

    def _courtesy_s(self, slot: Slot) -> float:
        """A replacement imports for half a second of a core; a successor that takes over right now needs it first."""
        return COURTESY_S if any(other is not slot and other.is_standby for other in self._slots.values()) else 0.0

    def _heard_last_words(self, slot: Slot, child: Child) -> None:
        child.phase = Phase.ENDED
        self._heard(slot, child)

    def _watch(self) -> None:
        now_ns = self._clock.boot_ns()
        if self._stop_by_ns is not None and now_ns > self._stop_by_ns:
            self._say("the stop deadline has passed: killing what is left")
            self._stop_by_ns = now_ns + 10**9
            self._signal_all(signal.SIGKILL)
        beats_ns = [self._watch_child(slot.child, now_ns) for slot in self._slots.values() if slot.child is not None]
        self._service.progress(max(beats_ns, default=0), now_ns)

    def _watch_child(self, child: Child, now_ns: int) -> int:
        """Kill a child that hangs; return its last sign of life, 0 when it gives none.

        Of who is leaving, the stop deadline alone decides: on a busy machine the last writes take their time.
        """
        beat_ns = self._last_beat_ns(child.spec.heartbeat_path) if child.spec.heartbeat_path is not None else None
        if child.phase is Phase.STARTING:
            if now_ns - child.started_ns > self._config.start_timeout_s * 1e9:
                self._kill(child, f"was not ready within {self._config.start_timeout_s:g} s")
        elif self._config.hang_kill_s > 0 and beat_ns is not None and self._stop_by_ns is None:
            silent_s = (now_ns - beat_ns) / 1e9
            if silent_s > self._config.hang_kill_s:
                self._kill(child, f"has not turned its event loop for {silent_s:.2f} s")
        return beat_ns or 0

    def _kill(self, child: Child, why: str) -> None:
        if not child.doomed:
            self._say(f"{child.spec.name} (pid {child.pid}) {why}: killing it")
        child.doomed = True
        child.signal(signal.SIGKILL)
