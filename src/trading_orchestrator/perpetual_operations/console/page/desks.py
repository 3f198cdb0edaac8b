"""The desks on the page: mode, profit, position, and a picture of the last fills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from trading_orchestrator.perpetual_operations.console.overview import Overview, Row
from trading_orchestrator.perpetual_operations.console.page.html import Html, join, tag
from trading_orchestrator.perpetual_operations.console.page.picture import picture
from trading_orchestrator.perpetual_operations.console.page.profit import Point, profit_curve
from trading_orchestrator.perpetual_operations.console.page.words import badge, decimal_places, figure, number


def desk_cards(overview: Overview) -> Html:
    """Return every desk."""
    if not overview.desks:
        return tag("p", "No desk has reported yet.", class_="empty")
    return join(_desk(desk, overview) for desk in overview.desks)


def _desk(desk: Row, overview: Overview) -> Html:
    lease = desk.get("lease")
    by = f"on node {lease.holder}" if lease is not None and lease.state == "held" else "on no node"
    held = [row for row in overview.positions if row.get("desk") == desk["desk"]]
    return tag(
        "article",
        tag(
            "header",
            tag("h3", desk["desk"]),
            badge(desk.get("mode", "starting")),
            tag("span", f"{by}{_orders(desk)}", class_="note"),
        ),
        alarm(desk),
        [_symbol(row, overview.trades) for row in held] or tag("p", "No fill yet.", class_="empty"),
        class_="desk",
    )


def alarm(desk: Row) -> Html | None:
    """Return what nobody may overlook: that no order leaves, who said so or why, and what ends it."""
    name, why = desk["desk"], desk.get("mode_reason") or "no reason given"
    if desk.get("mode") == "killed":
        verified = "nothing of ours is open, verified twice" if desk.get("kill_verified") else "canceling what is open"
        said = f"Kill switch on ({why}): no order leaves; {verified}. "
        return tag("p", said, _command("resume", name), " lifts it.", class_="alarm", role="alert")
    if desk.get("mode") == "unarmed":
        said = f"Not armed ({why}): no order leaves. "
        return tag("p", said, _command("arm", name), " lets them.", class_="alarm waits", role="status")
    if desk.get("held_up"):
        return tag("p", f"Nobody trades it: it {desk['held_up']}.", class_="alarm waits", role="status")
    return None


def _command(act: str, name: str) -> Html:
    return tag("code", f"trading-orchestrator desk {act} {name}")


def _orders(desk: Row) -> str:
    if "open_orders" not in desk:
        return ""
    unknown = int(desk.get("unknown_orders", 0))
    return f" · {number(desk['open_orders'])} open orders{f', {unknown} of unknown state' if unknown else ''}"


def _symbol(position: Row, trades: Sequence[Row]) -> Html:
    symbol = str(position["symbol"])
    quote = symbol.partition(":")[0].partition("/")[2]
    its = [trade for trade in trades if (trade.get("desk"), trade.get("symbol")) == (position["desk"], symbol)]
    its.sort(key=lambda trade: -int(trade["at_ns"]))  # one that was found late is booked late
    points = profit_curve(position, its)
    title = f"{symbol}: price and profit over the last {len(points)} fills"
    return tag(
        "div",
        tag("div", _profit(position, points, symbol, quote), class_="headline"),
        tag(
            "figure",
            picture(points, title=title),
            _caption(points),
        ),
        class_="symbol",
    )


def _profit(position: Row, points: Sequence[Point], symbol: str, quote: str) -> list[Html]:
    profit = points[-1].profit if points else Decimal(str(position["realized"]))
    px_places = max((decimal_places(point.px) for point in points), default=5)
    held = number(position["qty"])
    average = f" at {number(position['avg_px'], places=px_places)}" if position.get("avg_px") else ""
    return [
        tag("p", f"{symbol}, profit after fees", class_="note"),
        tag(
            "p",
            tag("b", number(profit, places=2, sign=True), class_="up" if profit >= 0 else "down"),
            f" {quote}",
            class_="profit-now",
        ),
        tag(
            "dl",
            figure("position", f"{held}{average}"),
            figure("realized before fees", number(position["realized"], places=2, sign=True)),
            figure("fees", _fees(position.get("fees", {}))),
            figure("fills", number(position.get("trades", 0))),
            class_="figures",
        ),
    ]


def _fees(paid: Mapping[str, object]) -> str:
    """Every asset that fees were taken in: profit has all of them, but for a coin that is neither side's."""
    amounts = [(asset, Decimal(str(amount))) for asset, amount in sorted(paid.items())]
    told = [f"{number(amount, places=2 if amount >= 1 else 4)} {asset}" for asset, amount in amounts if amount]
    return ", ".join(told) or "none"


def _caption(points: Sequence[Point]) -> Html | None:
    if len(points) < 2:
        return None
    return tag(
        "figcaption",
        f"Price of the last {len(points)} fills (",
        tag("span", "buys", class_="key buy"),
        ", ",
        tag("span", "sells", class_="key sell"),
        ") and, below, profit marked at each of them.",
    )
