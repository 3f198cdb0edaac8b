"""When a silence becomes an alarm: pure, on time that comes in as arguments."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from trading_orchestrator.watchdog.config import WatchdogConfig
from trading_orchestrator.watchdog.pulse import Pulse, State


class News(Enum):
    """What people are told."""

    SILENT = "silent"
    BACK = "back"


@dataclass(frozen=True)
class Notice:
    """One thing to tell. `key` is the same for every try, and for a watchdog that was started anew meanwhile."""

    key: str
    news: News
    summary: str
    since_boot_ns: int
    repeat: int = 0


class Watch:
    """Follows one system's pulse. Call `look` every few seconds; each notice is returned once."""

    def __init__(self, config: WatchdogConfig, *, boot_id: str, now_boot_ns: int) -> None:
        self._config = config
        self._boot_id = boot_id
        self._started_ns = now_boot_ns
        self._has_seen = False
        self._alarm: Notice | None = None
        self._told_ns = 0

    @property
    def is_alarmed(self) -> bool:
        """Return whether people were told of a silence that lasts."""
        return self._alarm is not None

    def look(self, pulse: Pulse | None, now_boot_ns: int) -> Notice | None:
        """Return what is to be told now, or None."""
        if pulse is not None and pulse.boot_id != self._boot_id:
            pulse = None  # of a boot before this one
        since_ns = max(self._started_ns, 0 if pulse is None else pulse.well_boot_ns)
        self._has_seen = self._has_seen or since_ns > self._started_ns
        patience_s = self._patience_s(pulse)
        if patience_s is None or now_boot_ns - since_ns < patience_s * 1e9:
            return self._well(pulse, now_boot_ns)
        return self._silent(pulse, since_ns, now_boot_ns)

    def _patience_s(self, pulse: Pulse | None) -> float | None:
        if pulse is not None and pulse.state is State.STOPPED:
            return self._config.stopped_s or None
        return self._config.silent_s if self._has_seen else max(self._config.silent_s, self._config.start_s)

    def _well(self, pulse: Pulse | None, now_boot_ns: int) -> Notice | None:
        alarm = self._alarm
        if alarm is None or pulse is None or self._may_be_a_handover(pulse, now_boot_ns):
            return None
        self._alarm = None
        how = "was stopped in order" if pulse.state is State.STOPPED else f"makes progress again on {pulse.node}"
        lasted_s = (pulse.at_boot_ns - alarm.since_boot_ns) / 1e9
        return Notice(f"{alarm.key}-back", News.BACK, f"The system {how}, after {lasted_s:.0f} s.", alarm.since_boot_ns)

    def _may_be_a_handover(self, pulse: Pulse, now_boot_ns: int) -> bool:
        """One process stops in order and the next one takes over: what came of it shows a little later."""
        return pulse.state is State.STOPPED and now_boot_ns - pulse.at_boot_ns < self._config.silent_s * 1e9

    def _silent(self, pulse: Pulse | None, since_ns: int, now_boot_ns: int) -> Notice | None:
        if self._alarm is not None and now_boot_ns - self._told_ns < self._config.repeat_s * 1e9:
            return None
        repeat = 0 if self._alarm is None else self._alarm.repeat + 1
        since_ns = since_ns if self._alarm is None else self._alarm.since_boot_ns
        last_ns = 0 if pulse is None else pulse.well_boot_ns
        self._told_ns = now_boot_ns
        self._alarm = Notice(
            key=f"watchdog-{self._boot_id[:8]}-{last_ns}-{repeat}",
            news=News.SILENT,
            summary=_sentence(pulse, (now_boot_ns - since_ns) / 1e9),
            since_boot_ns=since_ns,
            repeat=repeat,
        )
        return self._alarm


def _sentence(pulse: Pulse | None, silent_s: float) -> str:
    if pulse is None:
        return f"The trading system has given no sign of life for {silent_s:.0f} s, nor any before on this boot."
    if pulse.state is State.STOPPED:
        return f"The trading system was stopped in order {silent_s:.0f} s ago, and has not come back."
    if pulse.state is State.UNWELL:
        return f"The trading system lives but has made no progress for {silent_s:.0f} s: {pulse.says} ({pulse.node})"
    return f"The trading system has given no sign of life for {silent_s:.0f} s. The last one came from {pulse.node}."
