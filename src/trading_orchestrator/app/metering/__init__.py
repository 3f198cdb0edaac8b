"""Counts and times what the trading wing does at its edges, so that nothing inside it has to."""
