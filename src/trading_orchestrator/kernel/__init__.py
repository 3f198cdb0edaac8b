"""Time, ids, state tables, money, components and config: standard library and msgspec only."""
