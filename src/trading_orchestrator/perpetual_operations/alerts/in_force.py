"""Which plan is in force: what stands in the config now, or the last good one while that cannot be used."""

from __future__ import annotations

import logging
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.config import ConfigRefused
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.alerts.loading import Plan, load_alerts

log = logging.getLogger(__name__)


class InForce(NamedTuple):
    """A plan; `refused` says why it is that one instead of what stands in the config now."""

    plan: Plan
    refused: str = ""


def plan_now(
    read_plan: Callable[[], Plan],
    check: Callable[[Plan], object],
    last_good: Path | None,
    *,
    known: Plan | None = None,
) -> InForce:
    """Return the plan to run by. Reads files: 20 ms.

    A handover must not depend on what somebody has just written into the config. Whoever starts the whole program is
    refused by its keeper before it comes to this.

    Args:
        check: raises ConfigRefused when a channel cannot be opened: now, not when it is needed.
        last_good: where whoever was in force last kept its config; None keeps none.
        known: the plan that was in force here, already checked: what is left when no other can be used.

    Raises:
        ConfigRefused: it cannot be used, none was kept, and none is known.
    """
    try:
        plan = read_plan()
        if known is None or digest_of(plan.config) != digest_of(known.config):
            check(plan)
        return InForce(plan)
    except ConfigRefused as error:
        kept = _kept(last_good) or known
        if kept is None:
            raise
        log.error("alerts take the last good config, for the present one cannot be used: %s", error.message)
        return InForce(kept, error.message)


def keep(path: Path, config: AlertsConfig) -> None:
    """Replace the file whole; only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(msgspec.structs.replace(config, path=None)))
    new.chmod(0o600)
    new.replace(path)


def digest_of(config: AlertsConfig) -> str:
    """Return what names exactly this config, wherever it was read from."""
    nowhere = msgspec.structs.replace(config, path=None)
    return blake2b(msgspec.json.encode(nowhere), digest_size=16).hexdigest()


def _kept(last_good: Path | None) -> Plan | None:
    """Return the plan that was kept; one that a later release cannot read any more is none."""
    if last_good is None or not last_good.exists():
        return None
    try:
        return load_alerts(msgspec.json.decode(last_good.read_bytes(), type=AlertsConfig), source=str(last_good))
    except (OSError, msgspec.MsgspecError, Refused) as error:
        log.error("the last good config of alerts cannot be used either: %s", error)
        return None
