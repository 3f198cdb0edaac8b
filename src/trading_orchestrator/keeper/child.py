"""One child process under the keeper: started, heard, watched, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from trading_orchestrator.keeper.cpu_quota import CpuQuota

READY_FD, KEEPER_FD = "{ready_fd}", "{keeper_fd}"


class Phase(Enum):
    """Where a child is in its life."""

    STARTING = "starting"
    READY = "ready"
    ENDED = "ended"


@dataclass(frozen=True)
class Spec:
    """What to start. The arguments READY_FD and KEEPER_FD are replaced by descriptor numbers.

    stdin: bytes the child reads first; never arguments, which every user of the machine can see.
    nice, cpu_max_ratio: how far it yields, and its ceiling of CPU as a share of one core (0: none).
    """

    name: str
    argv: Sequence[str]
    stdin: bytes
    pass_fds: Sequence[int] = ()
    heartbeat_path: Path | None = None
    nice: int = 0
    cpu_max_ratio: float = 0.0


class Child:
    """A running child process. Owns its pipes; `close` gives them back after it has ended.

    Raises:
        OSError: the kernel had no process, memory or descriptor for it; nothing of it is left.
    """

    def __init__(self, spec: Spec, *, started_ns: int, environ: Mapping[str, str] | None = None) -> None:
        self.spec = spec
        self.phase = Phase.STARTING
        self.started_ns = started_ns
        self.doomed = False
        self._said = b""
        with contextlib.ExitStack() as undo:
            self._start(environ, undo)
            undo.pop_all()

    def _start(self, environ: Mapping[str, str] | None, undo: contextlib.ExitStack) -> None:
        spec = self.spec
        with contextlib.ExitStack() as handed_over:
            self.ready_fd, child_ready_fd = _pipe(undo, handed_over)
            child_keeper_fd, self._keeper_fd = _pipe(handed_over, undo)
            numbers = {READY_FD: str(child_ready_fd), KEEPER_FD: str(child_keeper_fd)}
            self._process = subprocess.Popen(
                [numbers.get(part, part) for part in spec.argv],
                stdin=subprocess.PIPE,
                pass_fds=(child_ready_fd, child_keeper_fd, *spec.pass_fds),
                process_group=0,  # Ctrl-C is for the keeper, which then ends us in order
                env=environ,
            )
        undo.callback(self._abandon)
        if spec.nice:  # before it reads its spec, so that every thread it will ever start inherits it
            os.setpriority(os.PRIO_PROCESS, self._process.pid, spec.nice)
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died at once; its exit is handled like any other
            self._process.stdin.write(spec.stdin)
            self._process.stdin.close()
        self.pid = self._process.pid
        self.pid_fd = os.pidfd_open(self.pid)
        self._quota = CpuQuota(f"{self.pid}", spec.cpu_max_ratio) if spec.cpu_max_ratio else None
        self.unlimited_because = self._quota.hold(self.pid) if self._quota else ""
        os.set_blocking(self.ready_fd, False)

    def _abandon(self) -> None:
        """End a process that cannot be watched."""
        self._process.kill()
        self._process.wait()

    def hear(self) -> str | None:
        """Return the line the child said on its ready pipe once it is complete, else None."""
        with contextlib.suppress(BlockingIOError):
            self._said += os.read(self.ready_fd, 65536)
        line, newline, _ = self._said.partition(b"\n")
        return line.decode(errors="replace") if newline else None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this very process: the pid cannot have been reused while we hold its descriptor."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pid_fd, number)

    def reap(self) -> int:
        """Wait for the ended process and return its exit code (negative: the signal that ended it)."""
        self.phase = Phase.ENDED
        code = self._process.wait()
        if self._quota is not None:
            self._quota.release()
        return code

    def close(self) -> None:
        for descriptor in (self.ready_fd, self.pid_fd, self._keeper_fd):
            os.close(descriptor)


def _pipe(read_end: contextlib.ExitStack, write_end: contextlib.ExitStack) -> tuple[int, int]:
    """Return both ends of a new pipe; each is closed with its own stack."""
    read_fd, write_fd = os.pipe()
    read_end.callback(os.close, read_fd)
    write_end.callback(os.close, write_fd)
    return read_fd, write_fd
