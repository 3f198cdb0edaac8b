"""What orders and money did while something was broken: sentences for an incident's report, from desk facts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import msgspec

from trading_orchestrator.app.impact_profit import BOOKED, Since, profit, trade_of
from trading_orchestrator.perpetual_operations.incidents.incident import Incident
from trading_orchestrator.storage.ports import Fact, FactStore

AROUND_NS = 2_000_000_000
PAGE = 1_000
CENT = Decimal("0.01")
Amounts = defaultdict[str, Decimal]
FACTS_MAX = 50_000
WINDOW_MAX_NS = 3_600_000_000_000


async def desk_impact(store: FactStore, incident: Incident) -> Sequence[str]:
    """Return what each desk did from just before the incident until just after it, at most an hour of it."""
    since_ns = (incident.last_well_ns or incident.opened_ns) - AROUND_NS
    until_ns = min((incident.ended_ns or since_ns + WINDOW_MAX_NS) + AROUND_NS, since_ns + WINDOW_MAX_NS)
    told: list[str] = []
    for head in await store.heads():
        if head.stream.startswith("desk/"):
            desk = head.stream.removeprefix("desk/")
            since = await _since(store, head.stream, since_ns, until_ns)
            told += _sentences(desk, since.window, since_ns, until_ns, is_over=bool(incident.ended_ns))
            told += await profit(store, desk, since)
    return told


async def _since(store: FactStore, stream: str, since_ns: int, until_ns: int) -> Since:
    """Facts since the window began; of those within it the newest 50,000 at most, oldest first."""
    found = Since()
    before_pos: int | None = None
    while len(found.window) < FACTS_MAX:
        page = await store.read_before(stream=stream, before_pos=before_pos, limit=PAGE)
        for fact in page:
            if fact.at_ns >= since_ns:
                found.take(fact, until_ns)
            else:
                found.take_before(fact)
        if len(page) < PAGE or page[-1].at_ns < since_ns:
            break
        before_pos = page[-1].pos
    found.window.reverse()
    return found


def _sentences(desk: str, facts: Sequence[Fact], since_ns: int, until_ns: int, *, is_over: bool) -> Sequence[str]:
    count = Counter(fact.kind for fact in facts)
    intents_ns = [fact.at_ns for fact in facts if fact.kind == "order.intended"]
    span, refused = f"{(until_ns - since_ns) / 1e9:.0f} s around it", f"{count['order.refused']} refused by the venue"
    orders = f"{count['order.intended']} orders intended, {count['order.accepted']} accepted"
    said = [f"Desk {desk}, {span}: {orders}, {refused}."]
    if count["order.doubted"]:
        said.append(
            f"{count['order.doubted']} orders were without an answer: {count['order.adopted']} found at the venue, "
            f"{count['order.abandoned']} proved never accepted, {count['order.quarantined']} quarantined."
        )
    if intents_ns:  # a pause may have begun before the window and go on behind it
        moments = [since_ns, *intents_ns, *([until_ns] if is_over else ())]
        pause_s = max(later - earlier for earlier, later in pairwise(moments)) / 1e9
        said.append(f"The longest time within it without a new order was {pause_s:.2f} s.")
    said += _money([fact for fact in facts if fact.kind == BOOKED])
    modes = [fact for fact in facts if fact.kind in ("desk.mode_changed", "desk.killed", "desk.kill_lifted")]
    said += [_mode(fact) for fact in modes[:5]]
    return said


def _mode(fact: Fact) -> str:
    body = msgspec.json.decode(fact.body)
    mode = body.get("mode", fact.kind.partition(".")[2]).replace("_", " ")
    return f"The desk became {mode}, by {body.get('by') or 'itself'}: {body.get('reason') or 'no reason given'}."


def _money(facts: Sequence[Fact]) -> Sequence[str]:
    if not facts:
        return []
    trades = [trade_of(fact) for fact in facts]
    turnover: Amounts = defaultdict(Decimal)
    fees: Amounts = defaultdict(Decimal)
    for trade in trades:
        quote = trade.symbol.partition("/")[2].partition(":")[0]
        turnover[quote] += trade.last_qty * trade.last_px
        if trade.fee:
            fees[trade.fee_asset] += trade.fee
    return [f"{len(trades)} trades were booked: turnover {_amounts(turnover)}, fees {_amounts(fees) or 'none'}."]


def _amounts(sums: Amounts) -> str:
    return ", ".join(f"{amount.quantize(CENT):,} {asset}" for asset, amount in sorted(sums.items()))
