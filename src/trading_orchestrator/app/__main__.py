"""`python -m trading_orchestrator.app`: a node's process, as its keeper starts it."""

from __future__ import annotations

import sys

from trading_orchestrator.kernel.garbage import begin_without_collecting


def main() -> int:
    """Import a node and run it; return its exit code."""
    begin_without_collecting()  # its 700 modules stay, and looking through them again and again cost a seventh
    from trading_orchestrator.app.node_process import main as run_node

    return run_node()


if __name__ == "__main__":
    sys.exit(main())
