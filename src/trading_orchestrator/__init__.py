"""Runs trading strategies for months without losing or doubling an order."""

__version__ = "0.1.0"
