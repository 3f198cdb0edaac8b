"""A process of its own that holds a journal's write lock until its stdin closes. Argument: the file."""

from __future__ import annotations

import sys

import apsw


def main() -> None:
    """Take the lock, say so, keep it."""
    thief = apsw.Connection(sys.argv[1])
    thief.set_busy_timeout(5_000)
    thief.execute("BEGIN IMMEDIATE")
    print("locked", flush=True)
    sys.stdin.read()
    thief.execute("ROLLBACK")
    thief.close()


if __name__ == "__main__":
    main()
