"""Starts the venue: `python -m trading_orchestrator.practice_venue --help`."""

import sys

from trading_orchestrator.practice_venue.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
