"""`capacity`: how many more desks and orders a second fit on this host, and what runs out first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading_orchestrator.app import settings as hall
from trading_orchestrator.cli.display import Column, screen, show_table
from trading_orchestrator.cli.options import ConfigOption, DataDirOption, JsonOption
from trading_orchestrator.cli.reading import as_json as json_line
from trading_orchestrator.kernel.clock import SystemClock

if TYPE_CHECKING:
    from trading_orchestrator.perpetual_operations.monitoring.analytics.capacity import Room

COLUMNS = (Column("what"), Column("now", number=True), Column("more", number=True), Column("because"))


def capacity(config: ConfigOption = None, data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Show how much more fits here, by what was measured, and what runs out. Reads beside a running system."""
    from trading_orchestrator.app.outlook import outlook  # numpy: 0.2 s that other commands need not wait

    found = outlook(config, hall.find_data_dir(config, data_dir), SystemClock())
    if as_json:
        print(json_line(found))
        return
    print(found.capacity.sentence)
    show_table(screen(), "Room", COLUMNS, [_cells(room) for room in (found.capacity.desks, found.capacity.orders_s)])
    for each in found.forecasts:
        print(each.sentence)
    if not found.forecasts:
        print("nothing runs out by its trend")


def _cells(room: Room) -> tuple[object, ...]:
    return room.what, f"{room.now:g}", f"{room.more:g}", room.because
