"""Kill -9 at every boundary of fire → group → send → record: nothing is lost, and doubles carry the same key."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.alerts.http_receiver import Receiver, receiver, said
from tests.integration.alerts.mail_server import MailServer, mail_server
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.perpetual_operations.alerts import facts
from trading_orchestrator.perpetual_operations.alerts.attention import Acknowledged, Escalated, Snoozed
from trading_orchestrator.perpetual_operations.alerts.call_ends import CallEndDue
from trading_orchestrator.perpetual_operations.alerts.calls import CallDelivered, CallDropped, CallFailed
from trading_orchestrator.perpetual_operations.alerts.escalation import facts as ladder_facts
from trading_orchestrator.perpetual_operations.alerts.rules import facts as rule_facts

pytestmark = pytest.mark.integration
HERE = Path(__file__).parent
TAKEN = said("200 OK")
FIRE_TO_RECORD = (
    "alert.received.decided",
    "alert.received.durable",
    "alert.group_opened.decided",
    "alert.group_opened.durable",
    "alert.notification_due.decided",
    "alert.notification_due.durable",
    "alert.sending",
    "alert.in_flight",
    "alert.answered",
    "alert.notification_delivered.decided",
    "alert.notification_delivered.durable",
)
COPIES = {  # how often each receiver must have got it, where the point leaves no choice
    **dict.fromkeys(FIRE_TO_RECORD[:7], 1),
    "alert.notification_delivered.decided": 2,
    "alert.notification_delivered.durable": 1,
}
RULE_TO_END = ("alert.rule_changed.decided", "alert.rule_changed.durable")
STARTS = ("alert.engine_started.decided", "alert.engine_started.durable")
DIGEST = (
    "alert.groups_opened.decided",
    "alert.groups_opened.durable",
    "alert.notification_listed.decided",
    "alert.notification_listed.durable",
)
REFUSED = ("alert.notification_dropped.decided", "alert.notification_dropped.durable")
OVER_BEFORE_TOLD = ("alert.group_flushed.decided", "alert.group_flushed.durable")
SILENCED = ("alert.silence_set.decided", "alert.silence_set.durable")
FORGOTTEN = ("alert.swept.decided", "alert.swept.durable")
KEPT_OPEN = ("call.end_due.decided", "call.end_due.durable")
ACKNOWLEDGED = (
    "escalation.acknowledged.decided",
    "escalation.acknowledged.durable",
    "call.dropped.decided",
    "call.dropped.durable",
)
CALLED = {  # how often the call must have arrived; None: the point leaves a choice
    "escalation.opened.decided": 1,
    "escalation.opened.durable": 1,
    "escalation.stepped.decided": 1,
    "escalation.stepped.durable": 1,
    "escalation.contact_due.decided": 1,
    "escalation.contact_due.durable": 1,
    "call.sending": 1,
    "call.in_flight": None,
    "call.answered": 2,
    "call.delivered.decided": 2,
    "call.delivered.durable": 1,
}
TRIED_TWICE = ("alert.notification_failed.decided", "alert.notification_failed.durable")
CALLED_TWICE = ("call.failed.decided", "call.failed.durable")
DECIDED_ANEW = "what makes it so is a fact before it: whoever folds that decides it anew"
A_PERSON_IS_TOLD = "a person asks for it, hears that it was not taken, and asks again"
EXCUSED = {  # kinds at which no process is killed here, and why nothing can be lost there
    "alert.group_timed": DECIDED_ANEW,
    "alert.flaps_noted": "written with the alert that flaps; without both the alert is told as one that does not",
    "alert.silence_used": "a silence ends a twentieth of its span later without it",
    "alert.facts_read": "reading again from an older place changes nothing",
    "heartbeat.heard": "a beat that was not taken is not answered, and comes again",
    "heartbeat.forgotten": DECIDED_ANEW,
    "alert.acknowledged": "written with escalation.acknowledged, where its alert has a ladder",
    "alert.snoozed": A_PERSON_IS_TOLD,
    "alert.escalated": A_PERSON_IS_TOLD,
    "escalation.snoozed": A_PERSON_IS_TOLD,
    "escalation.asked": A_PERSON_IS_TOLD,
    "escalation.paused": A_PERSON_IS_TOLD,
    "schedule.override_set": A_PERSON_IS_TOLD,
    "schedule.override_ended": DECIDED_ANEW,
    "escalation.closed": DECIDED_ANEW,
    "escalation.ended": DECIDED_ANEW,
    "escalation.muted": DECIDED_ANEW,
    "escalation.unmuted": DECIDED_ANEW,
    "escalation.nobody_found": "written with escalation.stepped",
    "escalation.reopened": DECIDED_ANEW,
    "escalation.resumed": DECIDED_ANEW,
}
BY_SMS = b"To=%2B15550100001"  # stands in the body of a text message
QUEUED = said("201 Created", body='{"sid": "SM0", "status": "queued"}')


class Life:
    """One process of an alert manager, from its start to its end by `kill -9`."""

    def __init__(self, folder: Path, url: str, mail_port: int, mode: str = "plain") -> None:
        self._folder = folder
        self._mode = mode
        self._url = url
        self._mail_port = mail_port

    async def until_held(self, point: str, deeds: Sequence[str], *, within_s: float = 60.0) -> list[str]:
        """Return the deeds that were accepted before the process was killed at the point."""
        (self._folder / point).touch()
        process = await self._start(deeds)
        try:
            async with asyncio.timeout(within_s):
                while not (held := list(self._folder.glob(f"{point}.held.*"))):
                    assert process.returncode is None, "the process ended by itself"
                    await SystemClock().sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"the point {point} was never reached") from None
        finally:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            said, _ = await process.communicate()
        assert [f"{point}.held.{process.pid}"] == [path.name for path in held]
        assert -signal.SIGKILL == process.returncode
        return [line.split()[1] for line in said.decode().splitlines() if line.startswith("accepted")]

    async def until_settled(self, deeds: Sequence[str]) -> None:
        """Let a successor finish, then kill it too."""
        process = await self._start(deeds)
        assert process.stdout is not None
        try:
            async with asyncio.timeout(60):
                while (line := await process.stdout.readline()) != b"settled\n":
                    assert line != b"", "the successor ended by itself"
        finally:
            os.kill(process.pid, signal.SIGKILL)
            await process.communicate()

    async def _start(self, deeds: Sequence[str]) -> asyncio.subprocess.Process:
        arguments = [
            str(self._folder / "journal.db"),
            str(self._folder),
            self._url,
            str(self._mail_port),
            self._mode,
            *deeds,
        ]
        return await asyncio.create_subprocess_exec(
            sys.executable, str(HERE / "alerting_process.py"), *arguments, stdout=asyncio.subprocess.PIPE
        )


async def killed_at(
    point: str, folder: Path, one: Receiver, mails: MailServer, deeds: Sequence[str], mode: str = "plain"
) -> None:
    """Kill one at the point; its successor is asked again for what was not accepted, as any source would."""
    life = Life(folder, f"http://127.0.0.1:{one.port}/hook", mails.port, mode)
    accepted = await life.until_held(point, deeds)
    await life.until_settled(deeds[len(accepted) :])


def told(one: Receiver) -> dict[str, str]:
    """Return what each key was sent with; a key that said two things fails."""
    by_key: dict[str, set[str]] = {}
    for number, body in enumerate(one.bodies):
        by_key.setdefault(one.headers(number)["idempotency-key"], set()).add(body.decode())
    assert [1] * len(by_key) == [len(several) for several in by_key.values()]
    return {key: "firing" if '"status":"firing"' in one else "resolved" for key, (one,) in by_key.items()}


def mailed(mails: MailServer) -> set[str]:
    return {str(mail["Message-ID"]).strip(" <>").partition("@")[0] for _, mail in mails.mails}


@pytest.mark.parametrize("point", FIRE_TO_RECORD)
async def test_a_firing_is_told_though_its_teller_is_killed(point: str, tmp_path: Path) -> None:
    async with receiver(TAKEN) as one, mail_server() as mails:
        await killed_at(point, tmp_path, one, mails, ["fire"])

    assert ["firing"] == list(told(one).values())
    assert set(told(one)) == mailed(mails)
    copies = [len(one.bodies), len(mails.mails)]
    assert {1, 2} >= set(copies)
    assert copies == [COPIES.get(point, own) for own in copies]


@pytest.mark.parametrize("point", ["alert.received.durable", "alert.in_flight", "alert.answered"])
async def test_its_end_is_told_too(point: str, tmp_path: Path) -> None:
    async with receiver(TAKEN) as one, mail_server() as mails:
        life = Life(tmp_path, f"http://127.0.0.1:{one.port}/hook", mails.port)
        await life.until_settled(["fire"])
        await killed_at(point, tmp_path, one, mails, ["resolve"])

    assert ["firing", "resolved"] == list(told(one).values())
    assert set(told(one)) == mailed(mails)


@pytest.mark.parametrize("point", TRIED_TWICE)
async def test_a_message_that_failed_is_tried_again_by_the_successor(point: str, tmp_path: Path) -> None:
    async with receiver(said("503 Away"), TAKEN) as one, mail_server() as mails:
        await killed_at(point, tmp_path, one, mails, ["fire"])

    assert ["firing"] == list(told(one).values())
    assert 2 == len(one.bodies)
    assert set(told(one)) == mailed(mails)


def calls_by_hook(one: Receiver) -> list[str]:
    """Return the key of each call that arrived."""
    return [
        one.headers(number)["idempotency-key"]
        for number, body in enumerate(one.bodies)
        if b'"receiver":"ann/hook"' in body
    ]


def calls_by_sms(one: Receiver) -> list[tuple[str, bytes]]:
    """Return key and text of each text message that arrived."""
    return [(one.headers(number)["idempotency-key"], body) for number, body in enumerate(one.bodies) if BY_SMS in body]


@pytest.mark.parametrize("point", CALLED)
async def test_a_person_is_called_though_the_caller_is_killed(point: str, tmp_path: Path) -> None:
    async with receiver(TAKEN) as one, mail_server() as mails:
        await killed_at(point, tmp_path, one, mails, ["fire"], "hook")

    calls = calls_by_hook(one)
    assert ["firing", "firing"] == list(told(one).values())
    assert set(told(one)) - mailed(mails) == set(calls)
    assert 1 == len(set(calls))
    assert {1, 2} >= {len(calls)}
    assert len(calls) == (CALLED[point] or len(calls))


@pytest.mark.parametrize("point", CALLED_TWICE)
async def test_a_call_that_failed_is_tried_again_by_the_successor(point: str, tmp_path: Path) -> None:
    async with receiver(said("503 Away"), said("503 Away"), TAKEN) as one, mail_server() as mails:
        await killed_at(point, tmp_path, one, mails, ["fire"], "hook")

    calls = calls_by_hook(one)
    assert (2, 1) == (len(calls), len(set(calls)))


@pytest.mark.parametrize("point", ["call.sending", "call.in_flight", "call.answered", "call.delivered.decided"])
async def test_a_text_message_is_sent_though_the_caller_is_killed(point: str, tmp_path: Path) -> None:
    async with receiver(QUEUED) as one, mail_server() as mails:
        await killed_at(point, tmp_path, one, mails, ["fire"], "sms")

    texts = calls_by_sms(one)
    assert 1 == len(set(texts))  # one key, and one text under it
    assert {1, 2} >= {len(texts)}
    # A process that sends a text message outlives its parent, so the point alone does not say how often it arrived.
    assert CALLED.get(point) != 2 or len(texts) == 2


@pytest.mark.parametrize("point", ACKNOWLEDGED)
async def test_a_call_in_retry_is_not_taken_up_by_the_successor_once_somebody_has_it(
    point: str, tmp_path: Path
) -> None:
    async with receiver(TAKEN) as one, mail_server() as mails:
        one.apart[b'"receiver":"ann/hook"'] = said("503 Away")
        life = Life(tmp_path, f"http://127.0.0.1:{one.port}/hook", mails.port, "hook")
        accepted = await life.until_held(point, ["fire", "ack"])
        before = len(calls_by_hook(one))
        await life.until_settled(["ack"])

    assert ["fire"] == accepted
    assert 1 <= before
    if point.endswith("durable"):
        assert before == len(calls_by_hook(one))


@pytest.mark.parametrize("point", STARTS)
async def test_a_successor_takes_over_from_one_that_died_while_it_started(point: str, tmp_path: Path) -> None:
    async with receiver(TAKEN) as one, mail_server() as mails:
        await killed_at(point, tmp_path, one, mails, ["fire"])

    assert (["firing"], 1, 1) == (list(told(one).values()), len(one.bodies), len(mails.mails))


@pytest.mark.long
@pytest.mark.parametrize("point", RULE_TO_END)
async def test_what_a_rule_sees_is_told_though_its_watcher_is_killed_and_so_is_its_end(
    point: str, tmp_path: Path
) -> None:
    async with receiver(TAKEN) as one, mail_server() as mails:
        await killed_at(point, tmp_path, one, mails, ["heat"], "rules")
        assert ["firing"] == list(told(one).values())
        again = tmp_path / "again"  # the journal goes on, the points are held anew
        again.mkdir()
        for name in ("journal.db", "journal.db-wal", "journal.db-shm", "hot"):
            if (tmp_path / name).exists():
                (tmp_path / name).rename(again / name)
        await killed_at(point, again, one, mails, ["cool"], "rules")

    assert ["firing", "resolved"] == list(told(one).values())
    assert (2, 2) == (len(one.bodies), len(mails.mails))


@pytest.mark.long
@pytest.mark.parametrize("point", DIGEST)
async def test_a_storm_is_one_digest_though_its_teller_is_killed(point: str, tmp_path: Path) -> None:
    async with receiver(TAKEN) as one, mail_server() as mails:
        await killed_at(point, tmp_path, one, mails, ["storm"], "storm")

    assert (["firing"], 1, 1) == (list(told(one).values()), len(one.bodies), len(mails.mails))
    assert {f'"h{number}"' for number in range(8)} <= set(re.findall(r'"h\d"', one.bodies[0].decode()))


@pytest.mark.long
@pytest.mark.parametrize("point", REFUSED)
async def test_what_was_refused_is_told_anew_by_the_successor(point: str, tmp_path: Path) -> None:
    async with receiver(said("410 Gone"), TAKEN) as one, mail_server() as mails:
        await killed_at(point, tmp_path, one, mails, ["fire"], "one")

    assert {"firing"} == set(told(one).values())
    assert 2 == len(one.bodies)


@pytest.mark.long
@pytest.mark.parametrize("point", OVER_BEFORE_TOLD)
async def test_what_was_over_before_it_was_told_is_not_told(point: str, tmp_path: Path) -> None:
    async with receiver(TAKEN) as one, mail_server() as mails:
        await killed_at(point, tmp_path, one, mails, ["blip"])
        assert [] == one.bodies


@pytest.mark.long
@pytest.mark.parametrize("point", SILENCED)
async def test_a_silence_that_was_accepted_holds(point: str, tmp_path: Path) -> None:
    async with receiver(TAKEN) as one, mail_server() as mails:
        await killed_at(point, tmp_path, one, mails, ["silence", "fire"])

    assert ([], []) == (one.bodies, mails.mails)


@pytest.mark.long
@pytest.mark.parametrize("point", FORGOTTEN)
async def test_what_is_forgotten_was_told_and_is_news_when_it_comes_again(point: str, tmp_path: Path) -> None:
    async with receiver(TAKEN) as one, mail_server() as mails:
        await killed_at(point, tmp_path, one, mails, ["fire", "resolve", "sweep", "fire"])

    assert ["firing", "resolved", "firing"] == list(told(one).values())
    assert (3, 3) == (len(one.bodies), len(mails.mails))


@pytest.mark.long
@pytest.mark.parametrize("point", KEPT_OPEN)
async def test_a_call_that_is_kept_open_is_closed_though_the_caller_is_killed(point: str, tmp_path: Path) -> None:
    async with receiver(TAKEN) as one, mail_server() as mails:
        await killed_at(point, tmp_path, one, mails, ["fire", "resolve"], "open")

    calls = [told(one)[key] for key in calls_by_hook(one)]
    assert ["firing", "resolved"] == calls


def test_every_kind_of_fact_has_its_points_or_its_reason() -> None:
    points = [
        *FIRE_TO_RECORD, *TRIED_TWICE, *CALLED, *CALLED_TWICE, *RULE_TO_END, *STARTS, *DIGEST, *REFUSED,
        *OVER_BEFORE_TOLD, *SILENCED, *FORGOTTEN, *KEPT_OPEN, *ACKNOWLEDGED,
    ]  # fmt: skip
    wanted = {f"{kind}.{when}" for kind in kinds() - EXCUSED.keys() for when in ("decided", "durable")}

    assert set() == wanted - set(points)
    assert set() == EXCUSED.keys() - kinds()
    assert set() == {point.rpartition(".")[0] for point in points} & EXCUSED.keys()


def kinds() -> set[str]:
    """Return every kind of fact that the alerts write; what only a snapshot or a row holds is none."""
    own = {one.kind for one in (Acknowledged, Snoozed, Escalated, CallFailed, CallDelivered, CallDropped, CallEndDue)}
    return own | facts.KINDS.keys() | rule_facts.KINDS.keys() | ladder_facts.KINDS.keys()


async def test_a_point_that_does_not_exist_is_noticed(tmp_path: Path) -> None:
    """The judge is judged: were a point renamed, its test would not pass by never dying."""
    async with receiver(TAKEN) as one, mail_server() as mails:
        life = Life(tmp_path, f"http://127.0.0.1:{one.port}/hook", mails.port)
        with pytest.raises(AssertionError, match=r"alert\.no_such_point was never reached"):
            await life.until_held("alert.no_such_point", ["fire"], within_s=2.0)
