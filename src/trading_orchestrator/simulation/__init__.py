"""Deterministic simulation: the whole trading wing on a virtual clock, broken by seed and judged by its record."""
