"""Alerts and silences in the JSON of Alertmanager's API v2, so that amtool, Prometheus and Grafana can talk to us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from trading_orchestrator.perpetual_operations.alerts import matchers as m
from trading_orchestrator.perpetual_operations.alerts.alert import Posted
from trading_orchestrator.perpetual_operations.alerts.rfc3339 import WordsRefused, rfc3339, time_ns
from trading_orchestrator.perpetual_operations.alerts.silence import Silence
from trading_orchestrator.perpetual_operations.alerts.standing import GroupStanding, Standing


class PostedWords(msgspec.Struct, frozen=True, rename="camel"):
    """An alert as a client posts it."""

    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: str = ""
    ends_at: str = ""
    generator_url: str = msgspec.field(default="", name="generatorURL")


class MatcherWords(msgspec.Struct, frozen=True, rename="camel"):
    """One matcher of a silence. `is_equal` left out is true, as in older clients."""

    name: str
    value: str
    is_regex: bool
    is_equal: bool = True


class SilenceWords(msgspec.Struct, frozen=True, rename="camel"):
    """A silence as a client posts it."""

    matchers: list[MatcherWords]
    starts_at: str
    ends_at: str
    created_by: str
    comment: str
    id: str = ""


def posted(words: PostedWords) -> Posted:
    """Return the alert.

    Raises:
        WordsRefused: a time cannot be read.
    """
    return Posted(
        labels=words.labels,
        annotations=words.annotations,
        starts_at_ns=time_ns(words.starts_at),
        ends_at_ns=time_ns(words.ends_at),
        generator_url=words.generator_url,
    )


def silence_of(words: SilenceWords, silence_id: str, old: Silence | None = None) -> Silence:
    """Return the silence under this id.

    Args:
        old: the one that it changes. What their words cannot say of it (its windows, and what else ends it) stays.

    Raises:
        WordsRefused: a time is missing or cannot be read.
        MatcherRefused: a matcher is no regular expression.
    """
    starts_at_ns, ends_at_ns = time_ns(words.starts_at), time_ns(words.ends_at)
    if starts_at_ns is None or ends_at_ns is None:
        raise WordsRefused("a silence needs startsAt and endsAt", text="")
    ops = {(True, True): m.Op.REGEX, (True, False): m.Op.NOT_REGEX, (False, True): m.Op.EQUAL}
    matchers = [
        str(m.matcher(one.name, ops.get((one.is_regex, one.is_equal), m.Op.NOT_EQUAL), one.value))
        for one in words.matchers
    ]
    return Silence(
        silence_id=silence_id,
        matchers=tuple(matchers),
        starts_at_ns=starts_at_ns,
        ends_at_ns=ends_at_ns,
        created_by=words.created_by,
        comment=words.comment,
        until_resolved=old is not None and old.until_resolved,
        times=() if old is None else old.times,
        unused_for_s=None if old is None else old.unused_for_s,
    )


def alert_words(one: Standing) -> Mapping[str, object]:
    """Return a gettableAlert."""
    alert = one.alert
    return {
        "annotations": alert.annotations,
        "endsAt": rfc3339(alert.ends_at_ns),
        "fingerprint": alert.fingerprint,
        "receivers": [{"name": name} for name in one.receivers],
        "startsAt": rfc3339(alert.starts_at_ns),
        "status": {"inhibitedBy": one.inhibited_by, "silencedBy": one.silenced_by, "state": one.state},
        "updatedAt": rfc3339(alert.updated_at_ns),
        "generatorURL": alert.generator_url,
        "labels": alert.labels,
    }


def group_words(group: GroupStanding) -> Mapping[str, object]:
    """Return an alertGroup."""
    return {
        "alerts": [alert_words(one) for one in group.alerts],
        "labels": group.labels,
        "receiver": {"name": group.receiver},
    }


def silence_words(silence: Silence, now_ns: int) -> Mapping[str, object]:
    """Return a gettableSilence."""
    state = "expired" if silence.is_expired(now_ns) else "active" if silence.is_active(now_ns) else "pending"
    return {
        "id": silence.silence_id,
        "status": {"state": state},
        "updatedAt": rfc3339(silence.starts_at_ns),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "endsAt": rfc3339(silence.ends_at_ns),
        "startsAt": rfc3339(silence.starts_at_ns),
        "matchers": [
            {
                "isEqual": one.op in (m.Op.EQUAL, m.Op.REGEX),
                "isRegex": one.op in (m.Op.REGEX, m.Op.NOT_REGEX),
                "name": one.name,
                "value": one.value,
            }
            for one in m.parse_matchers(silence.matchers)
        ],
    }


def filtered(texts: Sequence[str]) -> tuple[m.Matcher, ...]:
    """Return the matchers of `filter` parameters, each `name="value"` or `{a="1", b=~"x"}`.

    Raises:
        MatcherRefused: one cannot be read.
    """
    return m.parse_matchers(text.strip().strip("{}").rstrip(",") for text in texts if text.strip())
