"""One alert as it is known, and what a new message about it makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.alerts.fingerprints import fingerprints
from trading_orchestrator.perpetual_operations.alerts.labels import is_label_name, without_empty

TEXT_LEN_MAX = 8_000


class AlertRefused(Refused):
    """A posted alert cannot be taken. Facts: labels."""

    code = "alerts.alert_refused"


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as a source tells it. Without an end it lasts until it is told again or times out."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str] = {}
    starts_at_ns: int | None = None
    ends_at_ns: int | None = None
    generator_url: str = ""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. `is_timeout`: nobody told its end, so `ends_at_ns` moves on whenever it is told again."""

    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at_ns: int
    ends_at_ns: int
    updated_at_ns: int
    is_timeout: bool
    generator_url: str = ""

    def is_resolved(self, now_ns: int) -> bool:
        """Return whether it has ended."""
        return self.ends_at_ns <= now_ns


def on_our_clock(posted: Posted, lead_ns: int) -> Posted:
    """Return the alert with the times that its sender named in the time of the alerts."""
    if not lead_ns:
        return posted
    starts_ns, ends_ns = posted.starts_at_ns, posted.ends_at_ns
    return msgspec.structs.replace(
        posted,
        starts_at_ns=None if starts_ns is None else starts_ns + lead_ns,
        ends_at_ns=None if ends_ns is None else ends_ns + lead_ns,
    )


def on_the_wall_clock(alert: Alert, lead_ns: int) -> Alert:
    """Return the alert with its times as people and other programs know them."""
    starts_ns, ends_ns = alert.starts_at_ns - lead_ns, alert.ends_at_ns - lead_ns
    return msgspec.structs.replace(alert, starts_at_ns=starts_ns, ends_at_ns=ends_ns) if lead_ns else alert


def all_admitted(several: Sequence[Posted], now_ns: int, resolve_timeout_ns: int) -> list[Alert]:
    """Return the posted alerts with every time filled in; one that is refused refuses all.

    Raises:
        AlertRefused: as `admitted`.
    """
    labels = [without_empty(posted.labels) for posted in several]
    names = fingerprints(labels)
    return [
        _admitted(posted, own, name, now_ns, resolve_timeout_ns)
        for posted, own, name in zip(several, labels, names, strict=True)
    ]


def shortened(posted: Posted) -> Posted:
    """Return the alert with its longest annotations cut, so that its texts are not too many."""
    left = TEXT_LEN_MAX - sum(map(len, (*posted.labels, *posted.labels.values(), *posted.annotations)))
    left -= len(posted.generator_url)
    cut: dict[str, str] = {}
    for number, (name, text) in enumerate(sorted(posted.annotations.items(), key=lambda one: len(one[1]))):
        share = max(0, left // (len(posted.annotations) - number))
        cut[name] = text if len(text) <= share else text[:share]
        left -= len(cut[name])
    return msgspec.structs.replace(posted, annotations=cut)


def admitted(posted: Posted, now_ns: int, resolve_timeout_ns: int) -> Alert:
    """Return the posted alert with every time filled in.

    Raises:
        AlertRefused: it has no label, a label of an impossible name, too much text, or ends before it starts.
    """
    return all_admitted([posted], now_ns, resolve_timeout_ns)[0]


def _admitted(posted: Posted, labels: dict[str, str], name: str, now_ns: int, resolve_timeout_ns: int) -> Alert:
    wrong = [one for one in labels if not is_label_name(one)]
    if not labels or wrong:
        raise AlertRefused(f"expected at least one label, names of letters, digits and _, was {dict(posted.labels)}")
    texts = (*labels, *labels.values(), *posted.annotations, *posted.annotations.values(), posted.generator_url)
    if (size := sum(map(len, texts))) > TEXT_LEN_MAX:
        raise AlertRefused(f"expected at most {TEXT_LEN_MAX} characters in all texts, was {size}", labels=labels)
    ends_at_ns = posted.ends_at_ns
    starts_at_ns = posted.starts_at_ns
    if starts_at_ns is None:
        starts_at_ns = now_ns if ends_at_ns is None else ends_at_ns
    if ends_at_ns is not None and ends_at_ns < starts_at_ns:
        raise AlertRefused("expected the alert to start before it ends", labels=labels)
    return Alert(
        fingerprint=name,
        labels=labels,
        annotations=without_empty(posted.annotations),
        starts_at_ns=starts_at_ns,
        ends_at_ns=now_ns + resolve_timeout_ns if ends_at_ns is None else ends_at_ns,
        updated_at_ns=now_ns,
        is_timeout=ends_at_ns is None,
        generator_url=posted.generator_url,
    )


def merged(old: Alert | None, new: Alert, now_ns: int) -> Alert:
    """Return what is known after hearing `new`: one alert when the two overlap, else the new one alone.

    Source: Alertmanager provider/mem (overlap) and types.Alert.Merge.
    """
    if old is None or not _overlap(old, new):
        return new
    ends_at_ns = new.ends_at_ns
    if new.is_resolved(now_ns):
        if old.is_resolved(now_ns):
            ends_at_ns = max(old.ends_at_ns, new.ends_at_ns)
    elif old.ends_at_ns > new.ends_at_ns and not old.is_timeout:
        ends_at_ns = old.ends_at_ns  # an end that was told outlasts one that was assumed
    starts_at_ns = min(old.starts_at_ns, new.starts_at_ns)
    return msgspec.structs.replace(new, starts_at_ns=starts_at_ns, ends_at_ns=ends_at_ns)


def says_nothing_new(old: Alert | None, recorded: Alert | None, new: Alert, now_ns: int) -> bool:
    """Return whether `new` only confirms `old`: such a message is no fact.

    Senders that name an end move it on with every message. A fact follows when less than half of the time that is
    left now stands in the last one (`recorded`), so that a successor does not end the alert too early. New texts
    alone are no fact either: a text with a value in it would make one of every message.
    """
    if old is None or recorded is None or old.is_resolved(now_ns) != new.is_resolved(now_ns):
        return False
    if (recorded.starts_at_ns, recorded.is_timeout) != (new.starts_at_ns, new.is_timeout):
        return False
    if new.is_timeout:
        return True
    left_ns, recorded_left_ns = new.ends_at_ns - now_ns, recorded.ends_at_ns - now_ns
    return recorded.ends_at_ns <= new.ends_at_ns and recorded_left_ns >= left_ns / 2


def _overlap(old: Alert, new: Alert) -> bool:
    return (old.starts_at_ns < new.ends_at_ns < old.ends_at_ns) or (
        old.starts_at_ns < new.starts_at_ns < old.ends_at_ns
    )
