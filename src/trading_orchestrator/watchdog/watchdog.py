"""The watchdog: looks, and tells by every way until each has taken it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.watchdog.config import WatchdogConfig
from trading_orchestrator.watchdog.pulse import PULSE_FILE, WATCH_FILE, Pulse, State, read_pulse, write_pulse
from trading_orchestrator.watchdog.sending import NotTold, Send
from trading_orchestrator.watchdog.watch import Notice, Watch

FIRST_RETRY_S, LONGEST_RETRY_S = 2.0, 60.0


@dataclass
class Errand:
    """A notice that some ways have still to take."""

    notice: Notice
    left: list[str]
    wait_s: float = FIRST_RETRY_S
    next_ns: int = 0


@dataclass
class Watchdog:
    """One system's watchdog. `round` is all it does; it never raises, for nobody watches the watchdog as closely."""

    config: WatchdogConfig
    data_dir: Path
    boot_id: str
    clock: Clock
    ways: Mapping[str, Send]
    say: Callable[[str], None]
    errands: list[Errand] = field(default_factory=list)
    _watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self._watch = Watch(self.config, boot_id=self.boot_id, now_boot_ns=self.clock.boot_ns())

    def round(self) -> None:
        """Look once, and try what is due."""
        now_ns = self.clock.boot_ns()
        notice = self._watch.look(read_pulse(self.data_dir / PULSE_FILE), now_ns)
        if notice is not None:
            self.say(notice.summary)
            self.errands.append(Errand(notice, list(self.ways)))
        for errand in self.errands:
            if errand.next_ns <= now_ns:
                self._tell(errand)
        self.errands = [errand for errand in self.errands if errand.left]
        self._leave_a_sign()

    def _tell(self, errand: Errand) -> None:
        for name in list(errand.left):
            try:
                self.ways[name](errand.notice, self.clock.wall_ns())
            except NotTold as error:
                self.say(f"not told, trying again in {errand.wait_s:g} s: {error.message}")
            else:
                self.say(f"told by {name}")
                errand.left.remove(name)
        errand.next_ns = self.clock.boot_ns() + round(errand.wait_s * 1e9)
        errand.wait_s = min(LONGEST_RETRY_S, errand.wait_s * 2)

    def _leave_a_sign(self) -> None:
        """Let the system see that it is watched."""
        now_ns = self.clock.boot_ns()
        says = "the system is silent" if self._watch.is_alarmed else "the system is well"
        sign = Pulse(
            node="watchdog",
            state=State.WELL,
            says=says,
            boot_id=self.boot_id,
            at_boot_ns=now_ns,
            at_wall_ns=self.clock.wall_ns(),
            well_boot_ns=now_ns,
        )
        try:
            write_pulse(self.data_dir / WATCH_FILE, sign)
        except OSError as error:  # a full disk must not end the one who tells of it
            self.say(f"cannot write {WATCH_FILE}: {error.strerror}")
