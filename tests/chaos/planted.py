"""Defects planted in what a real run left behind: a judge that acquits one of them is blind to it.

The judge's own tests plant theirs in evidence made by hand, which would not notice a word that is spelt otherwise in a
real journal or in the venue's log.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from tests.chaos.judge import Evidence, JournalFact, findings, unanswered
from trading_orchestrator.drills.evidence import ENDS


def overlooked(evidence: Evidence) -> list[str]:
    """Return the planted defects that the judge does not find in evidence that it acquits."""
    assert [] == _said(evidence)
    return [defect for defect, planted in _planted(evidence) if not any(defect in said for said in _said(planted))]


def _said(evidence: Evidence) -> list[str]:
    return [finding.sentence for finding in [*findings(evidence), *unanswered(evidence)]]


def _planted(evidence: Evidence) -> Iterator[tuple[str, Evidence]]:
    """Yield the sentence that each planted defect deserves, and the evidence with it."""
    venue, facts = list(evidence.venue), list(evidence.facts)
    ended = next(fact for fact in facts if fact.kind == "order.ended")
    name = str(ended.body["report"]["cl_ord_id"])
    booked = next(fact for fact in facts if fact.kind == "trade.booked")
    trade = booked.body["trade"]["trade_id"]
    intent = evidence.intents()[name]
    told = [fact for fact in facts if name not in str(fact.body)]
    yield f"order {name} is open at the venue and ended", Evidence(_without(venue, name, *ENDS), facts)
    for word in ("refused", "abandoned"):
        lie = replace(ended, kind=f"order.{word}", body={"cl_ord_id": name})
        yield f"order {name} was accepted at the venue and is {word}", Evidence(venue, [*facts, lie])
    yield f"order {name} was accepted 2 times", Evidence(_twice(venue, name), facts)
    yield f"order {name} is at the venue and not in the journal", Evidence(venue, told)
    yield f"order {name} has no answer in the journal", Evidence(_without(venue, name, "order.accepted", *ENDS), [
        *told, intent,
    ])  # fmt: skip
    yield (
        f"order {name} is accepted in the journal and the venue never had it",
        Evidence(_without(venue, name, "order.accepted"), facts),
    )
    yield f"trade {trade} was never booked", Evidence(venue, [fact for fact in facts if fact is not booked])
    yield f"trade {trade} was booked 2 times", Evidence(venue, [*facts, booked])
    yield (
        f"trade {trade} was booked and does not exist",
        Evidence([fact for fact in venue if str(fact.get("trade_id")) != trade], facts),
    )
    yield "position: expected", Evidence(venue, [*facts, booked])
    yield f"has epoch 0 after {_highest(facts, ended.stream)}", Evidence(venue, [*facts, replace(ended, epoch=0)])
    yield from _second_ids(evidence, name)


def _second_ids(evidence: Evidence, name: str) -> Iterator[tuple[str, Evidence]]:
    """Plant the heart of the promise: a second venue order of an intent, under an id that its intent has not."""
    intent = evidence.intents()[name]
    order = next(fact for fact in evidence.venue_orders() if fact["client_order_id"] == name)
    again = replace(intent, body=intent.body | {"order": intent.body["order"] | {"cl_ord_id": "second"}})
    raised = replace(again, body=again.body | {"generation": 1})
    venue = [*evidence.venue, order | {"client_order_id": "second"}]
    of = f"intent {intent.body['intent_id']} of {intent.stream} has 2"
    yield f"{of} order ids", Evidence(venue, [*evidence.facts, again])
    yield f"{of} orders at the venue", Evidence(venue, [*evidence.facts, raised])


def _without(venue: Sequence[dict[str, Any]], name: str, *kinds: str) -> list[dict[str, Any]]:
    return [fact for fact in venue if fact.get("client_order_id") != name or fact["kind"] not in kinds]


def _twice(venue: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    accepted = [fact for fact in venue if fact["kind"] == "order.accepted" and fact["client_order_id"] == name]
    return [*venue, *accepted]


def _highest(facts: Sequence[JournalFact], stream: str) -> int:
    return max(fact.epoch for fact in facts if fact.stream == stream)
