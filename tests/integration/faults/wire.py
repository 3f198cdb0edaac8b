"""A network for a venue: a namespace behind a pair of veth, in which packets vanish, are refused or get lost.

Needs root and iproute2, and nftables for all but `down`. The far end is an address inside the namespace; the near end
is one of the range for benchmarks (RFC 2544), which nobody routes. Both are gone with the namespace.
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.faults.injectors import need

ESTABLISHED = "01"
WAYS = ("arriving", "leaving")
RULES = """
table inet cut {{
    chain arriving {{
        type filter hook input priority 0;
        {arriving}
    }}
    chain leaving {{
        type filter hook output priority 0;
        {leaving}
    }}
}}
"""
_numbers = itertools.count()


class Wire:
    """What a test does to the packets of one TCP port; all others, the control port too, are left alone."""

    def __init__(self, name: str, number: int) -> None:
        base = (number % (1 << 15)) * 4
        self.name = name
        self.link = f"{name}n"
        self.near, self.host = (f"198.{18 + (base >> 16)}.{base >> 8 & 255}.{(base & 255) + end}" for end in (1, 2))
        self.under = [need("ip", "a network namespace"), "netns", "exec", name]

    def set_up(self) -> None:
        far = f"{self.name}f"
        self._ip("link", "add", self.link, "type", "veth", "peer", "name", far, "netns", self.name)
        self._ip("addr", "add", f"{self.near}/30", "dev", self.link)
        self._ip("-n", self.name, "addr", "add", f"{self.host}/30", "dev", far)
        for link in ("lo", far):
            self._ip("-n", self.name, "link", "set", link, "up")
        self._ip("link", "set", self.link, "up")

    def connections(self, pid: int, port: int) -> list[int]:
        """Return the clients' ports of the connections that are open to this port of a process in the namespace."""
        lines = (line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:])
        return [
            int(there.split(":")[1], 16)
            for _, here, there, state, *_ in lines
            if (int(here.split(":")[1], 16), state) == (port, ESTABLISHED)
        ]

    def vanish(self, port: int, *, of: Sequence[int] | None = None, ways: Sequence[str] = WAYS) -> None:
        """Drop every packet from and to the port without a word.

        Args:
            of: only those of these client ports.
            ways: only those that arrive at the venue, or that leave it.
        """
        self._rule(port, "counter drop", of, ways)

    def refuse(self, port: int, *, of: Sequence[int] | None = None) -> None:
        """Answer every packet by a reset, as a host does on whose port nobody listens."""
        self._rule(port, "counter reject with tcp reset", of)

    def lose(self, port: int, percent: int) -> None:
        """Drop packets at random, both ways."""
        self._rule(port, f"numgen random mod 100 < {percent} counter drop")

    def met(self) -> int:
        """Return how many packets the rule met so far."""
        listed = self._nft("list table inet cut")
        return sum(int(count) for count in re.findall(r"counter packets (\d+)", listed))

    def heal(self) -> None:
        """Let everything pass again."""
        self._nft("add table inet cut; delete table inet cut")

    def down(self) -> None:
        """Pull the plug: there is no way to the venue any more, and no answer from there."""
        self._ip("link", "set", self.link, "down")

    def up(self) -> None:
        """Put it in again, and drop nothing."""
        self._ip("link", "set", self.link, "up")
        self.heal()

    def _rule(self, port: int, verdict: str, of: Sequence[int] | None = None, ways: Sequence[str] = WAYS) -> None:
        self.heal()
        clients = "" if of is None else f"{{ {', '.join(map(str, of))} }}"
        arriving = f"tcp dport {port} {clients and f'tcp sport {clients}'} {verdict}" if "arriving" in ways else ""
        leaving = f"tcp sport {port} {clients and f'tcp dport {clients}'} {verdict}" if "leaving" in ways else ""
        self._nft(RULES.format(arriving=arriving, leaving=leaving))

    def _nft(self, script: str) -> str:
        nft = need("nft", "dropping packets")
        return _run([*self.under, nft, "-f", "-"], script)

    def _ip(self, *words: str) -> None:
        _run([self.under[0], *words])


@contextmanager
def network() -> Iterator[Wire]:
    """Make a namespace with its wire, and take both away at the end."""
    if os.geteuid() != 0:
        pytest.skip("a network namespace needs root")
    ip, number = need("ip", "a network namespace"), os.getpid() * 8 + next(_numbers)
    name = f"to{number}"
    made = subprocess.run([ip, "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"a network namespace cannot be made here: {made.stderr.strip()}")
    wire = Wire(name, number)
    try:
        wire.set_up()
        yield wire
    finally:
        _run([ip, "netns", "del", name])


def _run(command: Sequence[str], given: str = "") -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=10)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
    return done.stdout
