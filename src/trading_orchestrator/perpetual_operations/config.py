"""Settings of the operations wing. TOML: `[perpetual_operations]` and its tables."""

from __future__ import annotations

import re

import msgspec


def _expect(holds: bool, key: str, expected: str, was: object) -> None:
    if not holds:
        raise ValueError(f"{key}: expected {expected}, was {was!r}")


class MonitoringConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How host and process are measured. TOML: `[perpetual_operations.monitoring]`.

    interval_s: one second shows a spike before a human asks, and costs 0.1 % of a core.
    ring_len: samples kept in memory; 3600 are an hour in under 2 MB.
    loop_lag_every_s: how often the event loop is asked how late it is; ten times a second finds every block that hurts.
    """

    interval_s: float = 1.0
    ring_len: int = 3600
    loop_lag_every_s: float = 0.1

    def __post_init__(self) -> None:
        _expect(0.1 <= self.interval_s <= 60, "interval_s", "0.1 to 60", self.interval_s)
        _expect(10 <= self.ring_len <= 100_000, "ring_len", "10 to 100000", self.ring_len)
        _expect(0.01 <= self.loop_lag_every_s <= 1, "loop_lag_every_s", "0.01 to 1", self.loop_lag_every_s)


class HealthConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How health is asked for. TOML: `[perpetual_operations.health]`.

    interval_s: between two rounds of probes; failures show within it plus a deadline.
    deadline_s: for a probe that names none; a journal that needs longer to be read is not well.
    loop_lag_degraded_s: a loop this late is felt; below it, a busy host is enough of an explanation.
    loop_lag_unhealthy_s: a loop this late misses lease renewals.
    """

    interval_s: float = 1.0
    deadline_s: float = 1.0
    loop_lag_degraded_s: float = 0.25
    loop_lag_unhealthy_s: float = 1.0

    def __post_init__(self) -> None:
        _expect(0.1 <= self.interval_s <= 300, "interval_s", "0.1 to 300", self.interval_s)
        _expect(0 < self.deadline_s <= 60, "deadline_s", "above 0, to 60", self.deadline_s)
        ordered = 0 < self.loop_lag_degraded_s <= self.loop_lag_unhealthy_s
        _expect(ordered, "loop_lag_degraded_s", "above 0, to loop_lag_unhealthy_s", self.loop_lag_degraded_s)


class ConsoleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How API and dashboard answer. TOML: `[perpetual_operations.console]`.

    path_prefix: where the routes are mounted in somebody else's app, e.g. "/ops"; "" is the root.
    allowed_hosts: names besides localhost that a browser may use; anything else is refused (DNS rebinding).
    refresh_s: the shortest time between two updates of the page; four a second is as fast as an eye reads.
    max_streams: live streams at once; each costs a socket and a few kB.
    keep_alive_s: how long an idle connection is kept.
    """

    path_prefix: str = ""
    allowed_hosts: tuple[str, ...] = ()
    refresh_s: float = 0.25
    max_streams: int = 500
    keep_alive_s: int = 5

    def __post_init__(self) -> None:
        well_formed = re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", self.path_prefix) is not None
        _expect(well_formed, "path_prefix", '"" or a path like "/ops"', self.path_prefix)
        _expect(0.05 <= self.refresh_s <= 10, "refresh_s", "0.05 to 10", self.refresh_s)
        _expect(self.max_streams >= 1, "max_streams", "at least 1", self.max_streams)
        _expect(self.keep_alive_s >= 1, "keep_alive_s", "at least 1", self.keep_alive_s)


class OperationsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole wing. TOML: `[perpetual_operations]`.

    data_dir: where the journal lives; None takes the program's own `data_dir`, and `data` when it has none.
    """

    data_dir: str | None = None
    monitoring: MonitoringConfig = MonitoringConfig()
    health: HealthConfig = HealthConfig()
    console: ConsoleConfig = ConsoleConfig()
