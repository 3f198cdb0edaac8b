"""How to reach one exchange account through ccxt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec

from trading_orchestrator.brokers.budget import BudgetConfig
from trading_orchestrator.brokers.stream_watch import StreamWatch
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.bounds import Seconds, UpToAMinute, UpToAnHour
from trading_orchestrator.kernel.clock import Clock


class Credentials(NamedTuple):
    """The two halves of an API key; never printed."""

    api_key: str
    secret: str

    def __repr__(self) -> str:
        return "Credentials(***)"


_OURS = {
    "maxRetriesOnFailure": "the library would send an order a second time, and doubt is resolved by asking",
    "adjustForTimeDifference": "the venue's clock is measured here, before every takeover",
    "recvWindow": "say validity_s, which proofs of absence rest on",
}


class CcxtConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One exchange account.

    `api_key` and `secret` are literals for the practice venue only; a real key is named by the environment
    variables or files that hold it. `urls` and `options` are merged deeply over ccxt's own.
    `client_id_param`: at an exchange that ccxt cannot ask for an order by our id, the exchange's own name of the
    parameter that it can be asked by (docs/guarantee.md says what is promised there); "" for those that ccxt knows.
    `live`: orders here move real money, so a desk sends none before a named person has armed it; say false for a
    practice venue or a sandbox, and name its `urls`: ccxt's own are the real exchange's, so without them `run` refuses.
    True unless said: to forget it costs a command, the other way round it costs money.

    Defaults: `timeout_s` and `validity_s` of 1 s let a successor know soon that a lost request can no longer
    arrive; `ping_s` finds a half-open stream within 15 s; `quiet_s` of 10 s: how long a stream may be silent before it
    is probed, which costs 20 of Binance's 6,000 a minute (the account) or 2 a symbol (prices); `lag_s` of 2 s: how long
    a frame may stay behind an answer before its stream is held to be mute; `countdown_s` of 60 s: where ccxt offers a
    cancel-all countdown (Binance Spot has none), how long the venue waits for us before it cancels every order of the
    account, a human's too; longer than a restart of the host takes, 0: never; with `reconnect_most_s` an outage of
    a day takes about 7,700 attempts a connection.
    """

    exchange: str = "binance"
    api_key: str = ""
    secret: str = ""
    api_key_env: str = ""
    secret_env: str = ""
    api_key_file: str = ""
    secret_file: str = ""
    urls: dict[str, Any] = {}
    options: dict[str, Any] = {}
    client_id_param: str = ""
    live: bool = True
    timeout_s: UpToAMinute = 1.0
    validity_s: UpToAMinute = 1.0
    ping_s: UpToAnHour = 5.0
    quiet_s: Seconds = 10.0
    lag_s: Seconds = 2.0
    countdown_s: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    reconnect_first_s: UpToAnHour = 0.1
    reconnect_most_s: UpToAnHour = 15.0
    budget: BudgetConfig = BudgetConfig()

    def __post_init__(self) -> None:
        for name, why in _OURS.items():
            if _has_key(self.options, name):
                raise ValueError(f"options: expected no {name}: {why}")

    @property
    def moves_real_money(self) -> bool:
        """Return whether a desk must be armed: unless it is said not to be live, and where else it is."""
        return self.live or not self.urls

    def __repr__(self) -> str:
        return f"CcxtConfig(exchange={self.exchange!r}, key=***)"

    def stream_watch(self, name: str, clock: Clock) -> StreamWatch:
        """Return the watch over one of the account's streams."""
        return StreamWatch(f"{self.exchange}: {name}", quiet_s=self.quiet_s, lag_s=self.lag_s, clock=clock)

    def credentials(self, variable: Callable[[str], str | None]) -> Credentials:
        """Return the key, read from where the config names it.

        Args:
            variable: returns an environment variable or None (`kernel.config.variable`).

        Raises:
            Refused: a named variable is not set or a named file cannot be read.
        """
        return Credentials(
            _resolve("api_key", self.api_key, self.api_key_env, self.api_key_file, variable),
            _resolve("secret", self.secret, self.secret_env, self.secret_file, variable),
        )


def _has_key(options: Mapping[str, Any], name: str) -> bool:
    """Look at every depth: ccxt takes an option of one endpoint too, `options = { order = { … } }`."""
    return name in options or any(_has_key(inner, name) for inner in options.values() if isinstance(inner, Mapping))


def _resolve(name: str, literal: str, env: str, file: str, variable: Callable[[str], str | None]) -> str:
    if env:
        value = variable(env)
        if not value:
            raise Refused(
                f"{name}_env: expected the environment variable {env} to be set, was empty", key=f"{name}_env"
            )
        return value
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Refused(f"{name}_file: {file} cannot be read: {error.strerror}", key=f"{name}_file") from None
    return literal
