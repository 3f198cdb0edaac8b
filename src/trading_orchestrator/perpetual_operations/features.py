"""One switch per feature: what the config says, until somebody with a name and a reason says otherwise."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from trading_orchestrator.errors import OrchestratorError, Refused
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.config import nearest
from trading_orchestrator.storage.ports import FactStore, Head, NewFact, Put

log = logging.getLogger(__name__)
STREAM = "config"
KIND = "feature.switched"
PROJECTION = "features"
LOOK_EVERY_S = 1.0
HEARD_FOR_S = 2.5


class FeatureUnknown(Refused):
    """There is no feature of this name. Facts: feature."""

    code = "features.unknown"


class Switched(msgspec.Struct, frozen=True):
    """A named person switched a feature of every node that shares this journal."""

    feature: str
    on: bool
    by: str
    reason: str
    at_ns: int


class FeatureStatus(msgspec.Struct, frozen=True):
    """A feature as it is on this node. `by`, `reason`: of the last switch; "" when the config speaks."""

    feature: str
    on: bool
    what: str
    by: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Feature:
    """What a switch moves. `turn` starts or stops the parts behind it; `because` names who said so, and why."""

    name: str
    what: str
    in_config: bool
    turn: Callable[[bool, str], Awaitable[None]]


def check_feature(feature: str, known: Sequence[str]) -> None:
    """Refuse a name that nobody knows.

    Raises:
        FeatureUnknown: the sentence names the nearest.
    """
    if feature not in known:
        raise FeatureUnknown(f"no feature is named {feature!r}; {nearest(feature, list(known))}", feature=feature)


async def switch(store: FactStore, feature: str, on: bool, *, by: str, reason: str, node: str, at_ns: int) -> None:
    """Journal a switch; every node follows within a second.

    Raises:
        Refused: nobody takes responsibility.
    """
    if not by.strip() or not reason.strip():
        raise Refused("a switch is for a named person with a reason: expected both, was empty")
    body = Switched(feature, on, by.strip(), reason.strip(), at_ns)
    await store.append([NewFact(STREAM, KIND, body)], node=node, fence=None, puts=[Put(PROJECTION, feature, body)])


class Features:
    """Follows the switches. Use from one event loop."""

    name = "features"
    depends_on: Sequence[str] = ()

    def __init__(self, store: FactStore, clock: Clock, features: Sequence[Feature]) -> None:
        self._store = store
        self._clock = clock
        self._features = {feature.name: feature for feature in features}
        self._on = {feature.name: feature.in_config for feature in features}
        self._said: dict[str, Switched] = {}
        self._wake = asyncio.Event()
        self._following = asyncio.Lock()
        self._heard: tuple[int, int] | None = None  # when, and where the stream of switches stood
        self._followed_pos = -1
        self._failed = ""

    @property
    def known(self) -> Mapping[str, Feature]:
        return self._features

    def is_on(self, feature: str) -> bool:
        return self._on[feature]

    def check(self, feature: str) -> None:
        """Refuse a name that nobody knows.

        Raises:
            FeatureUnknown: the sentence names the nearest.
        """
        check_feature(feature, [*self._features])

    def statuses(self) -> Sequence[FeatureStatus]:
        """Return every feature as it is on this node."""
        return [self._status(feature) for feature in self._features.values()]

    def health(self) -> Health:
        if self._failed:
            return Health(HealthState.DEGRADED, self._failed)
        off = [name for name, on in self._on.items() if not on]
        return Health(HealthState.HEALTHY, f"switched off: {', '.join(off)}" if off else "all on")

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            if not self._nothing_new():
                try:
                    await self.follow()
                    self._failed = ""
                except OrchestratorError as error:
                    self._failed = f"switches cannot be followed: {error.message}"
                    log.warning("%s", self._failed)
            timer = self._clock.call_later(LOOK_EVERY_S, self._wake.set)
            await self._wake.wait()
            timer.cancel()
            self._wake.clear()

    def saw(self, heads: Sequence[Head]) -> None:
        """Take what somebody else has just read of the journal: while no switch was journaled, none is looked for."""
        pos = next((head.pos for head in heads if head.stream == STREAM), 0)
        self._heard = (self._clock.monotonic_ns(), pos)
        if pos != self._followed_pos:
            self._wake.set()

    def _nothing_new(self) -> bool:
        if self._heard is None:
            return False
        heard_ns, pos = self._heard
        return pos == self._followed_pos and self._clock.monotonic_ns() - heard_ns < HEARD_FOR_S * 1e9

    async def follow(self) -> None:
        """Turn what was switched since the last look; return when it is done, whoever began it. Raises what the store
        raises.
        """
        async with self._following:
            await self._follow()

    async def _follow(self) -> None:
        pos = self._heard[1] if self._heard is not None else -1
        for row in await self._store.rows(PROJECTION):
            said = msgspec.json.decode(row.value, type=Switched)
            self._said[said.feature] = said
        for name, said in self._said.items():
            feature = self._features.get(name)
            if feature is not None and self._on[name] != said.on:
                self._on[name] = said.on
                log.warning("%s is switched %s by %s: %s", name, "on" if said.on else "off", said.by, said.reason)
                await asyncio.shield(feature.turn(said.on, f"{said.by}: {said.reason}"))
        self._followed_pos = pos

    def _status(self, feature: Feature) -> FeatureStatus:
        said = self._said.get(feature.name)
        if said is None:
            return FeatureStatus(feature.name, self._on[feature.name], feature.what)
        return FeatureStatus(feature.name, self._on[feature.name], feature.what, said.by, said.reason)
