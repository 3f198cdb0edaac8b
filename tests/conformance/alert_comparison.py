"""Compares what was sent with what a case expects: every message, no other, in time where a time is given."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Message = Mapping[str, Any]
ROUNDING_S = 1e-6


def content(message: Message) -> str:
    """Return what a message says, without when; alerts in any order."""
    alerts = sorted(message["alerts"], key=lambda alert: json.dumps(alert, sort_keys=True))
    said = {key: message[key] for key in ("receiver", "status", "group_labels")}
    answered = message.get("receiver_answered", 200)
    return json.dumps({**said, "alerts": alerts, "answered": answered}, sort_keys=True)


def differences(expected: Sequence[Message], sent: Sequence[Message]) -> list[str]:
    """Return what differs, in sentences; empty when nothing does.

    The n-th message of some content is compared with the n-th of the same content. A message without a time
    must keep its place among the others to its receiver.
    """
    left: dict[str, list[int]] = {}
    for place, message in enumerate(sent):
        left.setdefault(content(message), []).append(place)
    found: list[str] = []
    pairs: list[tuple[Message, int]] = []
    for message in expected:
        places = left.get(content(message), [])
        if not places:
            found.append(f"not sent: t={message['t']} {content(message)}")
            continue
        pairs.append((message, places.pop(0)))
    found += [f"not expected: t={sent[place]['t']} {what}" for what, places in left.items() for place in places]
    return found + [late for message, place in pairs if (late := _late(message, sent[place]))] + _disorder(pairs)


def _late(expected: Message, sent: Message) -> str:
    if expected["t"] is None or abs(expected["t"] - sent["t"]) <= expected["tolerance"] + ROUNDING_S:
        return ""
    return f"sent at t={sent['t']} instead of {expected['t']} ± {expected['tolerance']}: {content(sent)}"


def _disorder(pairs: Sequence[tuple[Message, int]]) -> list[str]:
    return [
        f"out of order: {content(later)}"
        for (earlier, one), (later, other) in zip(pairs, pairs[1:], strict=False)
        if later["t"] is None and earlier["receiver"] == later["receiver"] and other < one
    ]
