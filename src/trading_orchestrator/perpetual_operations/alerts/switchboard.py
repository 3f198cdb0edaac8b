"""The switchboard: every configured channel in its lane, by name, and the ways that receivers are reached by."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.config import nearest
from trading_orchestrator.perpetual_operations.alerts.channels.kinds import kind_named
from trading_orchestrator.perpetual_operations.alerts.channels.letters import letter_of
from trading_orchestrator.perpetual_operations.alerts.channels.log.config import LogConfig
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.port import Checked, Forgetful
from trading_orchestrator.perpetual_operations.alerts.delivery import Way, Ways
from trading_orchestrator.perpetual_operations.alerts.lane import Lane
from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig

NODE_LOG = "log"


class ChannelUnknown(Refused):
    """No channel has this name. Facts: channel."""

    code = "alerts.channel_unknown"


class FallbackCircle(Refused):
    """Channels stand in for each other in a circle: nobody would notice that all are down. Facts: channels."""

    code = "alerts.fallback_circle"


class Switchboard:
    """All lanes. Use from one event loop. `to_check`: channels whose config only they can have judged.
    `forgetful`: those whose receivers forget.

    Args:
        kinds: by channel the `kind` it has in the config.
        configs: by channel the settings, as that kind's config.

    Raises:
        ChannelUnknown, FallbackCircle: a fallback leads nowhere or in a circle.
        SecretRefused, UrlRefused, TemplateRefused, LogRefused: a channel cannot be opened; the sentence names the key.
    """

    def __init__(self, kinds: Mapping[str, str], configs: Mapping[str, LaneConfig], opening: Opening) -> None:
        self._opening = opening
        self.lanes: dict[str, Lane] = {}
        self.to_check: dict[str, Checked] = {}
        self.forgetful: dict[str, Forgetful] = {}
        for name, config in configs.items():
            channel = kind_named(kinds[name]).open(config, opening)
            if isinstance(channel, Checked):
                self.to_check[name] = channel
            if isinstance(channel, Forgetful):
                self.forgetful[name] = channel
            self.lanes[name] = Lane(name, channel, config, opening.clock, meter=opening.meter)
        if NODE_LOG not in self.lanes:
            node_log = LogConfig(last_resort=False)
            channel = kind_named("log").open(node_log, opening)
            self.lanes[NODE_LOG] = Lane(NODE_LOG, channel, node_log, opening.clock, meter=opening.meter)
        for name in self.lanes:
            self.way(name)

    def way(self, channel: str) -> Way:
        """Return the channel's lane and those that stand in for it, in their order.

        Raises:
            ChannelUnknown, FallbackCircle.
        """
        lanes: list[Lane] = []
        name: str | None = channel
        while name is not None:
            lane = self.lanes.get(name)
            if lane is None:
                known = nearest(name, list(self.lanes))
                raise ChannelUnknown(f"no channel is named {name!r}; {known}", channel=name)
            if lane in lanes:
                circle = " → ".join([one.name for one in lanes] + [name])
                raise FallbackCircle(f"expected fallbacks to end somewhere, was {circle}", channels=circle)
            lanes.append(lane)
            name = lane.config.fallback
        return Way(tuple(lanes))

    def ways(self, channels: Sequence[str]) -> Ways:
        """Return the ways of a receiver with these channels; one without any is told in the log of the node."""
        return [self.way(name) for name in channels or (NODE_LOG,)]

    async def test(self, channel: str) -> str:
        """Send a test message by this channel alone, past its budget and circuit, and return the answer.

        Raises:
            ChannelUnknown: there is no such channel.
            Transient, Unknown, Refused: what became of it; the sentence is for the operator.
        """
        lane = self.way(channel).lanes[0]
        now_ns = self._opening.clock.wall_ns()
        letter = letter_of(
            key=f"test-{channel}-{now_ns}",
            receiver=channel,
            name="ChannelTest",
            severity="info",
            summary=f"This is a test of the channel {channel}. Nothing is wrong.",
            at_ns=now_ns,
        )
        return await lane.tried(letter)

    def health(self) -> Health:
        """Return how the channels do: down is one that would carry nothing now."""
        each = [(lane, lane.health()) for lane in self.lanes.values()]
        bad = [health.reason for _, health in each if health.state is not HealthState.HEALTHY]
        down = [lane for lane, health in each if health.state is HealthState.UNHEALTHY]
        if len(down) == len(each) or any(lane.config.fallback is None for lane in down):
            return Health(HealthState.UNHEALTHY, "; ".join(bad))
        return (
            Health(HealthState.DEGRADED, "; ".join(bad))
            if bad
            else Health(HealthState.HEALTHY, f"{len(each)} channels")
        )

    async def close(self) -> None:
        """Let go of every connection."""
        await asyncio.gather(*(lane.close() for lane in self.lanes.values()))
