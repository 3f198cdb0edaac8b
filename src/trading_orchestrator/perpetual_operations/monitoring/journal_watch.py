"""Where the journal stands and how fast it grows, asked once a second."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.storage.ports import FactStore, Head

WINDOW_NS = 10_000_000_000
MOST_LOOKS = 200
STILL_LOOKS = 15.0
OTHERS_LOOK_S = 2.0  # in intervals: whoever looks each interval may be late by one


class JournalWatch:
    """Follows the position of the journal. `pos` is dense enough to count facts by (one per fact)."""

    name = "journal_watch"
    depends_on: Sequence[str] = ()

    def __init__(self, store: FactStore, clock: Clock, *, every_s: float = 1.0) -> None:
        self._store = store
        self._clock = clock
        self._every_s = every_s
        self._seen: deque[tuple[int, int]] = deque(maxlen=MOST_LOOKS)

    @property
    def pos(self) -> int:
        """Return the newest position seen; 0 for an empty journal or before the first look."""
        return self._seen[-1][1] if self._seen else 0

    def facts_per_s(self) -> float:
        """Return facts per second over the last ten seconds."""
        if len(self._seen) < 2:
            return 0.0
        (first_ns, first_pos), (last_ns, last_pos) = self._seen[0], self._seen[-1]
        return (last_pos - first_pos) / max((last_ns - first_ns) / 1e9, 1e-9)

    def health(self) -> Health:
        if not self._seen:
            return Health(HealthState.STARTING, "not read yet")
        age_s = (self._clock.monotonic_ns() - self._seen[-1][0]) / 1e9
        if age_s > STILL_LOOKS * self._every_s:
            return Health(HealthState.UNHEALTHY, f"the journal was not looked at for {age_s:.0f} s")
        return Health(HealthState.HEALTHY, f"at pos {self.pos}, {self.facts_per_s():.1f} facts/s")

    async def look(self) -> int:
        """Ask once and return the position.

        Raises:
            StorageUnavailable: the journal cannot be read now; ask again.
        """
        return self.saw(await self._store.heads())

    def saw(self, heads: Sequence[Head]) -> int:
        """Take what somebody else has just read, and return the position: one read serves everybody."""
        pos = max((head.pos for head in heads), default=0)
        now_ns = self._clock.monotonic_ns()
        self._seen.append((now_ns, pos))
        while now_ns - self._seen[0][0] > WINDOW_NS:
            self._seen.popleft()
        return pos

    async def run(self) -> None:
        """Look until cancelled, but not while others do; a journal that cannot be read ends the run, and the manager
        starts it anew.
        """
        while True:
            if not self._seen or self._clock.monotonic_ns() - self._seen[-1][0] > OTHERS_LOOK_S * self._every_s * 1e9:
                await self.look()
            await self._clock.sleep(self._every_s)
