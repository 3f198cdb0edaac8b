"""Settings of recovery. TOML: `[perpetual_operations.recovery]`."""

from __future__ import annotations

import msgspec

from trading_orchestrator.perpetual_operations.recovery.ladder import Ladder


class RecoveryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What repairs by itself.

    enabled: off, failures are detected and told, and nothing is repaired.
    ladders: one table `[[perpetual_operations.recovery.ladders]]` each; one of a class that has a default replaces it.
    """

    enabled: bool = True
    ladders: tuple[Ladder, ...] = ()
