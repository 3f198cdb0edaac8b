"""The strategies of a desk, as its config names them."""

from __future__ import annotations

from trading_orchestrator.kernel.config import ConfigRefused, nearest
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.strategies.load import LoadedStrategy, its_own_code, load_strategy


def strategies_of(config: DeskConfig, *, source: str) -> dict[str, LoadedStrategy]:
    """Return the enabled strategies of the config, loaded.

    Raises:
        ConfigRefused: a name twice among them, a wrong class or parameter, or a symbol that is none of the desk's.
    """
    loaded: dict[str, LoadedStrategy] = {}
    for each in config.strategies:
        where = f"{source}: strategy `{each.name}`"
        if not each.enabled:
            continue
        if each.name in loaded:
            raise ConfigRefused(f"{where}: the name is used twice", key="name", source=source)
        loaded[each.name] = load_strategy(each.class_, each.params, symbols=config.symbols, source=where)
        _check_symbols(loaded[each.name], each.name, config, where)
    return loaded


def _check_symbols(loaded: LoadedStrategy, name: str, config: DeskConfig, source: str) -> None:
    with its_own_code(f"{source}: wants"):
        symbols = loaded.wants(name).symbols
    for symbol in symbols:
        if symbol not in config.symbols:
            raise ConfigRefused(
                f"{source}: wants `{symbol}`, which is none of the desk's symbols; {nearest(symbol, config.symbols)}",
                key="symbols",
                source=source,
            )
