"""Prices: the port for quotes and trades, and bars built from trades."""
