"""Measured figures, each printed with the command that measures it again."""
