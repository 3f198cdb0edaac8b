"""`enable_perpetual_operations`: the operations wing inside somebody else's FastAPI program."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from trading_orchestrator.errors import Refused

if TYPE_CHECKING:
    from fastapi import FastAPI

    from trading_orchestrator.kernel.clock import Clock
    from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import Action
    from trading_orchestrator.storage.ports import FactStore

log = logging.getLogger(__name__)


class AlreadyEnabled(Refused):
    """The app has its operations already: use `app.state.perpetual_operations`."""

    code = "operations.already_enabled"


async def enable_perpetual_operations(
    app_config: object = None,
    fastapi_app: FastAPI | None = None,
    *,
    store: FactStore | None = None,
    clock: Clock | None = None,
    recovery_actions: Mapping[str, Action] | None = None,
) -> bool:
    """Mount routes and dashboard on the app, start monitoring and health checks, and return True.

    Await it on the app's own event loop, inside its lifespan or before its server starts. Everything stops with
    the app's lifespan; `await app.state.perpetual_operations.stop()` stops it earlier. The app's own routes,
    middlewares and documentation stay as they are.

    Args:
        app_config: None (environment TRADING_ORCHESTRATOR_… and defaults; data in ./data), a path to a TOML file
            with `[perpetual_operations]`, a mapping with that table or its keys, or a settings object with
            attributes. See `settings_source.py`.
        fastapi_app: the app.
        store: a journal that is open already; it stays yours to close. None opens `data_dir/journal.db`.
        clock: None takes the machine's.
        recovery_actions: what ladders of `[[perpetual_operations.recovery.ladders]]` may name beside the actions
            that every program has. Each gets the failure and returns a sentence on what it did; raising means that
            it could not.

    Raises:
        ConfigRefused: a key cannot be used; the sentence names it.
        LadderRefused: a ladder names an action that is neither shipped nor given here; nothing was started.
        AlreadyEnabled: this app has its operations.
        RoutesTaken: the app answers one of our paths itself; set `console.path_prefix`.
        JournalUnwritable and the other errors of `open_store`: the data directory cannot be used.
    """
    from trading_orchestrator.perpetual_operations.settings_source import alerts_plan, settings_of

    config = settings_of(app_config)
    app = _checked_app(fastapi_app)
    read_alerts = alerts_plan(app_config)
    read_alerts()

    from trading_orchestrator.perpetual_operations.embedding.start import embed

    app.state.perpetual_operations = await embed(
        app,
        config,
        store=store,
        clock=clock,
        inside=sys._getframe(),
        read_alerts=read_alerts,
        recovery_actions=recovery_actions or {},
    )
    return True


def _checked_app(app: object) -> FastAPI:
    from fastapi import FastAPI

    if not isinstance(app, FastAPI):
        raise Refused(f"fastapi_app: expected the FastAPI app to mount the routes on, was {type(app).__name__}")
    if getattr(app.state, "perpetual_operations", None) is not None:
        raise AlreadyEnabled(
            "perpetual operations are enabled on this app already: "
            "call enable_perpetual_operations once, and use app.state.perpetual_operations after that"
        )
    return app
