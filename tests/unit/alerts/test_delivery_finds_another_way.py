"""Delivery: a fallback while a channel is down, several channels a receiver, and nothing sent that is out of date."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.unit.alerts.post import NOW_NS, Told, letter, message, settle
from trading_orchestrator.errors import OrchestratorError, Refused, Transient, Unknown
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.perpetual_operations.alerts.channels.port import Channel, ReceiverBusy
from trading_orchestrator.perpetual_operations.alerts.delivery import Deed, Delivery, Way, Ways
from trading_orchestrator.perpetual_operations.alerts.facts import Answer, NotificationDue
from trading_orchestrator.perpetual_operations.alerts.lane import Lane
from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig
from trading_orchestrator.perpetual_operations.alerts.state import Outgoing

Answers = tuple[Answer, ...]


@dataclass
class Scribe:
    """Stands in for the engine: writes down what it is told became of each message."""

    said: list[tuple[str, str, str]] = field(default_factory=list)
    tries: list[list[tuple[str, str, bool]]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def delivered(self, name: str, now_ns: int, answer: str, answers: Answers) -> list[object]:
        return self._note("delivered", name, answer, answers)

    def failed(
        self, name: str, now_ns: int, answer: str, retry_after_s: float | None, answers: Answers
    ) -> list[object]:
        return self._note(f"again after {retry_after_s:g}", name, answer, answers)

    def refused(self, name: str, now_ns: int, answer: str, answers: Answers) -> list[object]:
        return self._note("refused", name, answer, answers)

    def _note(self, what: str, name: str, answer: str, answers: Answers) -> list[object]:
        self.said.append((what, name, answer))
        self.unknown += [one.channel for one in answers if one.is_unknown]
        self.tries.append([(one.channel, one.said, one.is_taken) for one in answers])
        return []


@dataclass
class Office:
    """Delivery on a virtual clock, with two channels and one receiver."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    mail: Told = field(default_factory=Told)
    sms: Told = field(default_factory=Told)
    scribe: Scribe = field(default_factory=Scribe)

    def lane(self, name: str, channel: Channel, **settings: object) -> Lane:
        return Lane(name, channel, LaneConfig(**settings), self.clock)  # type: ignore[arg-type]  # by name

    def one_after_the_other(self, **settings: object) -> Ways:
        return [Way((self.lane("mail", self.mail, **settings), self.lane("sms", self.sms)))]

    def both(self) -> Ways:
        return [Way((self.lane("mail", self.mail),)), Way((self.lane("sms", self.sms),))]

    def delivery(self, ways: Ways) -> Delivery:
        def report(deed: Deed) -> None:
            deed(self.scribe, NOW_NS)  # type: ignore[arg-type]  # only what a deed calls

        return Delivery({"r": ways}, self.clock, key_prefix="journal", report=report)

    async def post(self, delivery: Delivery, *, tries: int = 0, told: NotificationDue | None = None) -> None:
        outgoing = Outgoing(told or message(), NOW_NS, tries)
        delivery.follow({outgoing.message.notification_id: outgoing}, [outgoing])
        await settle(self.clock)


@pytest.fixture
def office() -> Office:
    return Office()


async def test_a_message_that_failed_often_also_goes_to_the_fallback(office: Office) -> None:
    delivery = office.delivery(office.one_after_the_other(fallback_after_tries=3))
    for tries in range(3):
        office.mail.errors = [Transient("away", retry_after_s=4.0)]
        await office.post(delivery, tries=tries)

    assert [
        ("again after 4", "n-1", "mail: away"),
        ("again after 4", "n-1", "mail: away"),
        ("delivered", "n-1", "mail: away; sms: 200"),
    ] == office.scribe.said


async def test_a_critical_message_goes_to_the_fallback_after_its_first_failure(office: Office) -> None:
    office.mail.errors = [Transient("away")]
    await office.post(office.delivery(office.one_after_the_other()), told=letter(severity="critical").message)

    assert [("delivered", "n-1", "mail: away; sms: 200")] == office.scribe.said


async def test_while_a_channel_is_down_every_message_takes_the_fallback_at_once(office: Office) -> None:
    delivery = office.delivery(office.one_after_the_other(fallback_after_tries=99))
    office.mail.errors = [Transient("away")] * 3
    for number in range(3):
        await office.post(delivery, told=message(f"n-{number}"))
    await office.post(delivery, told=message("n-9"))

    assert ["n-0", "n-1", "n-2"] == office.mail.letters
    assert ["n-2", "n-9"] == office.sms.letters


async def test_what_a_channel_refuses_the_fallback_may_take(office: Office) -> None:
    office.mail.errors = [Refused("no such mailbox")]
    await office.post(office.delivery(office.one_after_the_other()))

    assert [("delivered", "n-1", "mail: no such mailbox; sms: 200")] == office.scribe.said


@pytest.mark.parametrize(
    ("mail", "sms", "end"),
    [
        (Refused("never"), Refused("not me"), ("refused", "n-1", "mail: never; sms: not me")),
        (Refused("never"), Transient("away"), ("again after 0", "n-1", "mail: never; sms: away")),
        (Transient("gone"), Refused("not me"), ("again after 0", "n-1", "mail: gone; sms: not me")),
    ],
)
async def test_a_message_is_given_up_only_when_every_lane_refuses_it(
    office: Office, mail: OrchestratorError, sms: OrchestratorError, end: tuple[str, str, str]
) -> None:
    office.mail.errors, office.sms.errors = [mail], [sms]
    await office.post(office.delivery(office.one_after_the_other(fallback_after_tries=1)))

    assert [end] == office.scribe.said


async def test_a_message_to_two_channels_is_tried_again_only_where_it_did_not_arrive(office: Office) -> None:
    delivery = office.delivery(office.both())
    office.sms.errors = [Transient("away", retry_after_s=4.0)]
    await office.post(delivery)
    await office.post(delivery, tries=1)

    assert [
        ("again after 4", "n-1", "mail: 200; sms: away"),
        ("delivered", "n-1", "mail: 200; sms: 200"),
    ] == office.scribe.said
    assert [[("mail", "200", True), ("sms", "away", False)], [("sms", "200", True)]] == office.scribe.tries
    assert (["n-1"], ["n-1", "n-1"]) == (office.mail.letters, office.sms.letters)


async def test_it_is_said_of_which_channel_nobody_knows_whether_it_took_a_message(office: Office) -> None:
    office.mail.errors, office.sms.errors = [Unknown("no answer")], [Transient("away")]
    await office.post(office.delivery(office.both()))

    assert ["mail"] == office.scribe.unknown


async def test_a_channel_that_refuses_does_not_hold_up_the_other(office: Office) -> None:
    office.sms.errors = [Refused("no such number")]
    await office.post(office.delivery(office.both()))

    assert [("delivered", "n-1", "mail: 200; sms: no such number")] == office.scribe.said


async def test_a_channel_that_refuses_everything_is_stood_in_for_at_every_message(office: Office) -> None:
    office.mail.errors = [Refused("answered 401") for _ in range(5)]
    delivery = office.delivery(office.one_after_the_other())
    for number in range(5):
        await office.post(delivery, told=message(f"n-{number}"))

    assert [f"n-{number}" for number in range(5)] == office.sms.letters
    assert {"delivered"} == {what for what, _, _ in office.scribe.said}


async def test_a_channel_that_asked_for_a_pause_is_not_tried_while_the_other_one_is(office: Office) -> None:
    told = letter(severity="critical").message
    delivery = office.delivery(office.both())
    office.mail.errors = [ReceiverBusy("later", retry_after_s=600.0)]
    office.sms.errors = [Transient("away"), Transient("away")]
    for tries, wait_s in enumerate((1, 1, 1, 598)):
        await office.post(delivery, tries=tries, told=told)
        await settle(office.clock, wait_s)
    assert (["n-1"], ["n-1"] * 3) == (office.mail.letters, office.sms.letters)
    await office.post(delivery, tries=4, told=told)

    assert (["n-1"] * 2, ["n-1"] * 3) == (office.mail.letters, office.sms.letters)
    whats = [what for what, _, _ in office.scribe.said]
    assert ["again after 0", "again after 0", "again after 598", "again after 597", "delivered"] == whats


async def test_a_pause_of_one_letter_is_none_of_another_that_is_critical(office: Office) -> None:
    delivery = office.delivery([Way((office.lane("mail", office.mail),))])
    office.mail.errors = [ReceiverBusy("later", retry_after_s=600.0)]
    await office.post(delivery, told=letter("n-1", severity="critical").message)
    await office.post(delivery, told=letter("n-2", severity="critical").message)

    assert ["n-1", "n-2"] == office.mail.letters


async def test_a_message_to_a_receiver_that_is_gone_is_let_go(office: Office) -> None:
    told = message("n-1", receiver="gone")
    await office.post(office.delivery(office.both()), told=told)

    assert [("refused", "n-1", "no channel reaches the receiver any more")] == office.scribe.said


async def test_what_waits_for_the_budget_and_is_out_of_date_is_never_sent(office: Office) -> None:
    ways = [Way((office.lane("mail", office.mail, budget_per_min=1, burst=1),))]
    delivery = office.delivery(ways)
    await office.post(delivery, told=message("n-1"))
    await office.post(delivery, told=message("n-2"))
    assert delivery.is_trying("n-2")
    await office.post(delivery, told=message("n-3"))  # n-2 is not in the outbox any more
    await settle(office.clock, 600)

    assert ["n-1", "n-3"] == office.mail.letters
    assert not delivery.is_trying("n-2")


async def test_by_one_way_a_message_goes_on_though_by_another_it_only_waits_and_is_taken_back(office: Office) -> None:
    office.mail.hangs = True
    slow = office.lane("sms", office.sms, budget_per_min=1, burst=1)
    ways = [Way((office.lane("mail", office.mail, timeout_s=5.0),)), Way((slow,))]
    delivery = office.delivery(ways)
    await office.post(delivery, told=message("n-0"))
    await office.post(delivery, told=message("n-1"))
    assert (True, True) == (delivery.is_out("n-1"), delivery.may_be_known("n-1"))
    await office.post(delivery, told=message("n-2"))  # n-1 is not in the outbox any more
    assert 0 == office.mail.cancelled
    assert delivery.is_out("n-1")
    await settle(office.clock, 5)
    await settle(office.clock, 600)

    assert "n-1" not in office.sms.letters
    assert ("n-1", "mail: no answer within 5 s") in [(name, said) for _, name, said in office.scribe.said]
    assert not delivery.is_trying("n-1")
    assert not delivery.may_be_known("n-1")


async def test_what_one_way_took_may_be_known_while_another_waits_for_its_turn(office: Office) -> None:
    slow = office.lane("sms", office.sms, budget_per_min=1, burst=1)
    delivery = office.delivery([Way((office.lane("mail", office.mail),)), Way((slow,))])
    await office.post(delivery, told=message("n-0"))
    await office.post(delivery, told=message("n-1"))

    assert ["n-0", "n-1"] == office.mail.letters
    assert (False, True) == (delivery.is_out("n-1"), delivery.may_be_known("n-1"))


async def test_what_is_under_way_goes_on_though_a_newer_message_follows(office: Office) -> None:
    office.mail.hangs = True
    delivery = office.delivery([Way((office.lane("mail", office.mail),))])
    await office.post(delivery, told=message("n-1"))
    await office.post(delivery, told=message("n-2"))

    assert delivery.is_trying("n-1")
    await delivery.stop()
    assert 2 == office.mail.cancelled
