"""The parts of the page, each a pure function of an overview; live updates send only the parts that changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trading_orchestrator.perpetual_operations.console.last_hour import Curve
from trading_orchestrator.perpetual_operations.console.overview import Overview, Row
from trading_orchestrator.perpetual_operations.console.page.alerts import alert_list
from trading_orchestrator.perpetual_operations.console.page.desks import desk_cards
from trading_orchestrator.perpetual_operations.console.page.html import Html, join, tag
from trading_orchestrator.perpetual_operations.console.page.incidents import incident_list
from trading_orchestrator.perpetual_operations.console.page.sparkline import sparkline
from trading_orchestrator.perpetual_operations.console.page.words import (
    badge,
    figure,
    finest_places,
    moment,
    number,
    size,
)
from trading_orchestrator.perpetual_operations.console.who_holds import LeaseLine, NodeLine
from trading_orchestrator.perpetual_operations.health.diagnosis import WELL, spoken
from trading_orchestrator.perpetual_operations.health.health_checker import PartHealth

ROWS_SHOWN = 12
FILLS_DRAWN = 120
Now = int | None


def verdict(overview: Overview, now_ns: Now) -> Html:
    """What is the matter, in one sentence."""
    said = overview.verdict
    return join(
        (
            tag("p", tag("span", class_=f"lamp {said.state.value}", aria_hidden="true"), said.sentence, class_="said"),
            tag("ul", [tag("li", more) for more in said.more]) if said.more else None,
        )
    )


def alerts(overview: Overview, now_ns: Now) -> Html:
    """What fires; nothing at all when nothing does."""
    return alert_list(overview.alerts, now_ns)


def desks(overview: Overview, now_ns: Now) -> Html:
    """Each desk: mode, profit, position and a picture of its last fills."""
    return desk_cards(overview)


def nodes(overview: Overview, now_ns: Now) -> Html:
    """Processes: who is there, and what for."""
    if not overview.nodes:
        return tag("p", f"One process serves everything: {overview.served_by}.", class_="empty")
    return tag("ul", [_node(node, overview, now_ns) for node in overview.nodes], class_="lines")


def leases(overview: Overview, now_ns: Now) -> Html:
    """Who holds what, since when, and how fast it was taken."""
    if not overview.leases:
        return tag("p", "No lease was ever taken on this journal.", class_="empty")
    return tag("ul", [_lease(lease, now_ns) for lease in overview.leases], class_="lines")


def orders(overview: Overview, now_ns: Now) -> Html:
    """The newest orders as table rows."""
    rows = overview.orders[:ROWS_SHOWN]
    finest = finest_places(rows, "px", "avg_px")
    return join(_order(row, finest, now_ns) for row in rows) if rows else _no_row(6, "No order yet.")


def fills(overview: Overview, now_ns: Now) -> Html:
    """The newest fills as table rows."""
    rows = overview.trades[:ROWS_SHOWN]
    finest = finest_places(rows, "last_px")
    return join(_fill(row, finest, now_ns) for row in rows) if rows else _no_row(6, "No fill yet.")


def incidents(overview: Overview, now_ns: Now) -> Html:
    """What broke lately, on any node."""
    return incident_list(overview.incidents, now_ns)


def health(overview: Overview, now_ns: Now) -> Html:
    """The parts that are watched, the unwell first: those of the node that answers, and what only others know."""
    if not overview.health.parts:
        return tag("p", "Nothing is watched yet.", class_="empty")
    here = {part.name for part in overview.health.parts if _is_here(part, overview)}
    shown = [
        part
        for part in overview.health.parts
        if _is_here(part, overview) or part.name not in here or part.state not in WELL
    ]
    shown.sort(key=lambda part: part.state in WELL)
    return tag("ul", [_part(part, overview) for part in shown], class_="lines parts")


def system(overview: Overview, now_ns: Now) -> Html:
    """The journal's pace and this host's."""
    facts = [
        figure("journal position", number(overview.pos)),
        figure("facts per second", number(overview.facts_per_s)),
    ]
    sample = overview.system
    if sample is not None:
        facts += [
            figure("this process", f"{sample.process_cpu_ratio:.0%} CPU, {size(sample.process_rss_bytes)}"),
            figure("loop at most late", f"{sample.loop_lag_s * 1000:.1f} ms"),
            figure("host", f"{sample.host_cpu_ratio:.0%} CPU, {sample.host_memory_ratio:.0%} memory"),
            figure("disk", f"{size(sample.disk_free_bytes)} free"),
        ]
    return tag("dl", facts, class_="figures")


def hour(overview: Overview, now_ns: Now) -> Html:
    """The last hour of this host, a curve each; memory and CPU against all there is, lateness against its worst."""
    curves = [curve for curve in overview.hour if curve.at_ns]
    if not curves:
        return tag("p", "The curves start a few seconds after the program.", class_="empty")
    return tag("div", [_curve(curve) for curve in curves], class_="curves")


Section = Callable[[Overview, Now], Html]
SECTIONS: Mapping[str, Section] = {
    "verdict": verdict,
    "alerts": alerts,
    "desks": desks,
    "nodes": nodes,
    "leases": leases,
    "orders": orders,
    "fills": fills,
    "incidents": incidents,
    "health": health,
    "system": system,
    "hour": hour,
}


def render(overview: Overview, *, relative_to_ns: Now = None) -> dict[str, Html]:
    """Return every section; with `relative_to_ns` the ages are written out, else the page fills them in."""
    return {name: section(overview, relative_to_ns) for name, section in SECTIONS.items()}


def _curve(curve: Curve) -> Html:
    is_ratio = curve.series.endswith("_ratio")
    newest = curve.highest[-1]
    shown = f"{newest:.0%}" if is_ratio else f"{newest * 1000:.1f} ms"
    return tag(
        "figure",
        tag("figcaption", curve.title, " ", tag("b", shown)),
        sparkline(curve, shown=shown, full=1.0 if is_ratio else None),
    )


def _node(node: NodeLine, overview: Overview, now_ns: Now) -> Html:
    role = f"holds {', '.join(node.holds)}" if node.holds else "stands by" if node.state == "ready" else ""
    told = {"dead": "last word in the journal ", "started": "started "}.get(node.state, f"{node.state} since ")
    here = " · serves this page" if node.node == overview.served_by else ""
    return tag(
        "li",
        tag("span", tag("b", f"node {node.node}"), " ", badge(node.state), " ", role),
        tag("span", told, moment(node.since_ns, now_ns), f" · pid {node.pid}{here}", class_="note"),
    )


def _lease(lease: LeaseLine, now_ns: Now) -> Html:
    how = f" · {lease.succession.replace('_', ' ')}" if lease.succession else ""
    took = f" in {lease.took_ms:.0f} ms" if lease.took_ms else ""
    return tag(
        "li",
        tag(
            "span",
            tag("b", lease.lease),
            " ",
            badge(lease.state),
            " ",
            f"by node {lease.holder}" if lease.holder else "",
        ),
        tag("span", "since ", moment(lease.since_ns, now_ns), f" · epoch {lease.epoch}{how}{took}", class_="note"),
    )


def _is_here(part: PartHealth, overview: Overview) -> bool:
    return part.node in ("", overview.served_by)


def _part(part: PartHealth, overview: Overview) -> Html:
    said = f"because of {', '.join(part.because_of)}" if part.because_of else part.reason
    by = "" if _is_here(part, overview) else f"node {part.node}"
    return tag(
        "li",
        tag("span", tag("b", spoken(part.name)), " ", badge(part.state.value)),
        tag("span", " · ".join(filter(None, (said, by))), class_="note"),
    )


def _order(row: Row, finest: Mapping[str, int], now_ns: Now) -> Html:
    state = str(row.get("state", ""))
    shown = state.upper() if state.upper() in ("UNKNOWN", "QUARANTINED", "ABANDONED") else row.get("ord_status", "?")
    return tag(
        "tr",
        tag("td", moment(int(row.get("created_ns", 0)), now_ns)),
        tag("td", badge(shown)),
        _side(row),
        tag(
            "td",
            number(row.get("cum_qty")),
            tag("span", f" / {number(row.get('order_qty'))}", class_="quiet"),
            class_="n",
        ),
        tag("td", _px(row.get("px") or row.get("avg_px"), row, finest), class_="n least"),
        tag("td", tag("code", row.get("cl_ord_id", "?")), class_="id minor"),
    )


def _fill(row: Row, finest: Mapping[str, int], now_ns: Now) -> Html:
    fee = f"{number(row.get('fee'))} {row.get('fee_asset', '')}".strip()
    return tag(
        "tr",
        tag("td", moment(int(row.get("at_ns", 0)), now_ns)),
        _side(row),
        tag("td", number(row.get("last_qty")), class_="n"),
        tag("td", _px(row.get("last_px"), row, finest), class_="n"),
        tag("td", fee, class_="n minor"),
        tag("td", tag("code", row.get("trade_id", "?")), class_="id minor"),
    )


def _px(px: object, row: Row, finest: Mapping[str, int]) -> str:
    return number(px, places=finest.get(str(row.get("symbol", ""))))


def _side(row: Row) -> Html:
    side = str(row.get("side", "?"))
    return tag(
        "td", tag("span", side, class_=f"side {side}"), " ", tag("span", row.get("symbol", ""), class_="symbol-name")
    )


def _no_row(columns: int, said: str) -> Html:
    return tag("tr", tag("td", said, class_="empty", colspan=columns))
