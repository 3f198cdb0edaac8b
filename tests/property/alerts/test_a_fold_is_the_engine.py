"""Whatever happens in whatever order: the facts make the same state, and a crash anywhere loses no news."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.alert import Alert, Posted, admitted
from trading_orchestrator.perpetual_operations.alerts.config import (
    AlertingConfig,
    InhibitRuleConfig,
    ReceiverConfig,
    RouteConfig,
)
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.flapping import FlappingConfig
from trading_orchestrator.perpetual_operations.alerts.policy import policy_of
from trading_orchestrator.perpetual_operations.alerts.root_cause import RootCauseConfig
from trading_orchestrator.perpetual_operations.alerts.silence import Silence, SilenceRefused
from trading_orchestrator.perpetual_operations.alerts.snapshot import snapshot_of, state_of
from trading_orchestrator.perpetual_operations.alerts.state import Outgoing, State, folded
from trading_orchestrator.perpetual_operations.alerts.storm import StormConfig

S = 1_000_000_000
CONFIG = AlertingConfig(
    route=RouteConfig(
        receiver="all",
        group_by=("alertname",),
        group_wait=1,
        group_interval=2,
        repeat_interval=7,
        routes=(
            RouteConfig(receiver="a", matchers=('host="a"',), continue_=True, group_by=("...",)),
            RouteConfig(receiver="quiet", matchers=('host=~"b|c"',)),
        ),
    ),
    receivers={"all": ReceiverConfig(), "a": ReceiverConfig(), "quiet": ReceiverConfig(send_resolved=False)},
    inhibit_rules=(InhibitRuleConfig(source_matchers=("alertname=Dead",), target_matchers=("alertname=Slow",)),),
    resolve_timeout=9,
    end_always_told=True,
)
LOST, HALF = 0, 1  # it arrived, and its answer did not; it arrived by one of two channels
ANSWERS = {
    LOST: (f.Answer("a", "no answer", is_taken=False, is_unknown=True),),
    HALF: (f.Answer("a", "200", is_taken=True), f.Answer("b", "away", is_taken=False)),
}
GRAPH = {"b": ["a"], "c": ["b"]}
OURS = msgspec.structs.replace(
    CONFIG,
    flapping=FlappingConfig(starts_at=3, ends_at=1, within=12),
    storm=StormConfig(messages=2, within=5, every=4, never_throttled=('host="d"',)),
    root_cause=RootCauseConfig(label="host", cause_matchers=('alertname="Dead"',)),
)
configs = st.sampled_from([CONFIG, OURS])


@dataclass(frozen=True)
class Fire:
    name: str
    host: str
    old_s: float


@dataclass(frozen=True)
class Resolve:
    name: str
    host: str


@dataclass(frozen=True)
class Quiet:
    number: int
    host: str
    for_s: float
    kind: str


@dataclass(frozen=True)
class Speak:
    number: int


@dataclass(frozen=True)
class Answers:
    codes: tuple[int, ...]


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Crash:
    pass


Deed = Fire | Resolve | Quiet | Speak | Answers | Wait | Crash
names, hosts = st.sampled_from(["Dead", "Slow"]), st.sampled_from(["a", "b", "c", "d"])
waits = st.builds(Wait, st.sampled_from([0.4, 1.0, 2.0, 5.5, 31.0]))
deeds = st.one_of(
    st.builds(Fire, names, hosts, st.sampled_from([0.0, 3.0])),
    st.builds(Resolve, names, hosts),
    st.builds(Quiet, st.integers(1, 3), hosts, st.sampled_from([2.0, 60.0]), st.sampled_from(["", "need", "use"])),
    st.builds(Speak, st.integers(1, 3)),
    st.builds(Answers, st.lists(st.sampled_from([500, 400, LOST, HALF]), min_size=1, max_size=6).map(tuple)),
    st.builds(Answers, st.sampled_from([500, LOST, HALF]).map(lambda code: (code,) * 14)),  # past a deadline
    waits,
    waits,
)


@dataclass
class World:
    """An engine, what it stored, and receivers that answer as told and remember what they read last."""

    now_ns: int = 1_795_348_800 * S
    stored: list[tuple[str, bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    read: dict[tuple[str, str], f.NotificationDue | f.DigestPart] = field(default_factory=dict)
    config: AlertingConfig = CONFIG

    def __post_init__(self) -> None:
        self.engine = Engine(policy_of(self.config))
        self.engine.set_graph(GRAPH)
        self.keep(self.engine.start(self.now_ns))

    def do(self, deed: Deed) -> None:
        match deed:
            case Fire(name, host, old_s):
                self.post(name, host, starts_at_ns=self.now_ns - round(old_s * S) if old_s else None)
            case Resolve(name, host):
                self.post(name, host, ends_at_ns=self.now_ns)
            case Quiet(number, host, for_s, kind):
                silence = Silence(
                    silence_id=str(number),
                    matchers=(f"host={host}",),
                    starts_at_ns=self.now_ns,
                    ends_at_ns=self.now_ns + round(for_s * S),
                    created_by="bob",
                    comment="works on it",
                    until_resolved=kind == "need",
                    unused_for_s=3.0 if kind == "use" else None,
                )
                self.silence(silence)
            case Speak(number) if str(number) in self.engine.state.silences:
                self.keep(self.engine.expire_silence(str(number), self.now_ns))
            case Answers(codes):
                self.answers += codes
            case Wait(seconds):
                self.run_until(self.now_ns + round(seconds * S))
            case Crash():
                self.crash()
        self.work()

    def post(self, name: str, host: str, **times: int | None) -> None:
        posted = Posted(labels={"alertname": name, "host": host}, **times)  # type: ignore[arg-type]
        alert = admitted(posted, self.now_ns, self.engine.policy.resolve_timeout_ns)
        self.keep(self.engine.receive([alert], self.now_ns))

    def silence(self, silence: Silence) -> None:
        try:
            self.keep(self.engine.set_silence(silence, self.now_ns))
        except SilenceRefused:
            return

    def crash(self) -> None:
        self.engine = Engine(self.engine.policy, self.refolded())
        self.engine.set_graph(GRAPH)
        self.keep(self.engine.start(self.now_ns))

    def refolded(self) -> State:
        bodies = [f.body_of(kind, body) for kind, body in self.stored]
        return folded(body for body in bodies if body is not None)

    def run_until(self, until_ns: int) -> None:
        while (due_ns := self.next_ns()) is not None and due_ns <= until_ns:
            self.now_ns = max(self.now_ns, due_ns)
            self.work()
        self.now_ns = until_ns

    def next_ns(self) -> int | None:
        times = [outgoing.retry_at_ns for outgoing in self.engine.state.outbox.values()]
        due_ns = self.engine.next_due_ns()
        return min([*times, *([] if due_ns is None else [due_ns])], default=None)

    def work(self) -> None:
        self.keep(self.engine.advance(self.now_ns))
        while sends := self.engine.due_sends(self.now_ns):
            for outgoing in sends:
                self.send(outgoing)
            self.keep(self.engine.advance(self.now_ns))

    def send(self, outgoing: Outgoing) -> None:
        message = outgoing.message
        code = self.answers.pop(0) if self.answers else 200
        if code in (200, LOST, HALF):
            for part in outgoing.parts.values() if message.digest_of else [message]:
                self.read[part.group_key, message.receiver] = part
        if code == 200:
            self.keep(self.engine.delivered(message.notification_id, self.now_ns))
        elif code == 400:
            self.keep(self.engine.refused(message.notification_id, self.now_ns))
        else:
            answers = ANSWERS.get(code, ())
            self.keep(self.engine.failed(message.notification_id, self.now_ns, answers=answers))

    def keep(self, bodies: object) -> None:
        for body in bodies:  # type: ignore[attr-defined]
            self.stored.append((body.kind, msgspec.json.encode(body)))

    def come_to_rest(self) -> None:
        """Let every silence run out and every alert be told again or end, long enough for all to be heard."""
        self.answers.clear()
        for _ in range(40):
            for host, name in (("a", "Dead"), ("b", "Slow"), ("d", "Dead")):
                self.post(name, host)
            self.run_until(self.now_ns + 4 * S)
            self.work()

    def end_all(self) -> None:
        """Let everything end that fires, and receivers answer again."""
        self.answers.clear()
        for name in sorted(self.firing()):
            labels = self.known(name).labels
            self.post(labels["alertname"], labels["host"], ends_at_ns=self.now_ns)
        self.run_until(self.now_ns + 60 * S)
        self.work()

    def firing(self) -> set[str]:
        """Return what fires in truth."""
        return {name for name in self.engine.state.alerts if not self.known(name).is_resolved(self.now_ns)}

    def must_be_told(self) -> set[tuple[str, str]]:
        """Return what every receiver has to believe: what reaches it and nothing suppresses."""
        heard = {name for name in self.firing() if not self.is_explained(self.known(name))}
        groups = self.engine.state.groups.values()
        return {(group.receiver, name) for group in groups for name in group.alerts if name in heard}

    def is_explained(self, alert: Alert) -> bool:
        """Return whether another alert stands for this one."""
        if self.engine.inhibitor.inhibited_by(alert.labels, self.now_ns):
            return True
        by_graph = self.config.root_cause is not None
        return by_graph and self.engine.root_causes.inhibited_by(alert.labels, self.now_ns) is not None

    def known(self, name: str) -> Alert:
        alert = self.engine.alert(name)
        assert alert is not None
        return alert

    def believed(self) -> set[tuple[str, str]]:
        """Return what each receiver believes to fire."""
        return {(receiver, name) for (_, receiver), message in self.read.items() for name in message.firing}


@given(st.lists(deeds, max_size=30), configs)
@settings(max_examples=200, deadline=None)
def test_the_facts_alone_make_the_state(done: list[Deed], config: AlertingConfig) -> None:
    world = World(config=config)

    for deed in done:
        world.do(deed)
        assert world.engine.state == world.refolded()
    assert world.engine.state == state_of(msgspec.json.encode(snapshot_of(world.engine.state)))


@given(st.lists(deeds, min_size=1, max_size=20), configs, st.data())
@settings(max_examples=150, deadline=None)
def test_a_crash_between_any_two_steps_ends_the_same(
    done: list[Deed], config: AlertingConfig, data: st.DataObject
) -> None:
    places = data.draw(st.sets(st.integers(0, len(done)), min_size=1, max_size=4))
    plain, crashed = World(config=config), World(config=config)

    for place, deed in enumerate(done):
        plain.do(deed)
        if place in places:
            crashed.do(Crash())
        crashed.do(deed)
    crashed.do(Crash())
    for world in (plain, crashed):
        world.come_to_rest()

    assert plain.firing() == crashed.firing()
    assert plain.must_be_told() == crashed.must_be_told()
    for world in (plain, crashed):
        assert world.must_be_told() <= world.believed(), "news was lost"
        in_error = {name for receiver, name in world.believed() if receiver != "quiet"} - world.firing()
        assert not in_error, "an end was never told"
        assert not world.engine.state.outbox


@given(st.lists(st.one_of(deeds, st.builds(Crash)), min_size=1, max_size=20), configs)
@settings(max_examples=300, deadline=None)
def test_whoever_may_have_heard_that_it_fires_hears_its_end(done: list[Deed], config: AlertingConfig) -> None:
    world = World(config=config)

    for deed in done:
        world.do(deed)
    world.end_all()

    assert set() == {(receiver, name) for receiver, name in world.believed() if receiver != "quiet"}
    assert not world.engine.state.outbox


@given(st.lists(deeds, max_size=30), st.integers(0, 30), configs)
@settings(max_examples=100, deadline=None)
def test_no_message_is_due_twice_under_two_ids(done: list[Deed], at: int, config: AlertingConfig) -> None:
    world = World(config=config)

    for place, deed in enumerate(done):
        if place == at:
            world.do(Crash())
        world.do(deed)

    due = [msgspec.json.decode(body, type=f.NotificationDue) for kind, body in world.stored if kind.endswith("_due")]
    assert len({message.notification_id for message in due}) == len(due)
    assert len({(message.group_id, message.at_ns) for message in due}) == len(due)
