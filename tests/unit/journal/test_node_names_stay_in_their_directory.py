"""A node's name becomes a file name, so it may not lead elsewhere or hide."""

from __future__ import annotations

from pathlib import Path

import pytest

from trading_orchestrator.errors import Refused
from trading_orchestrator.journal.incarnation import path_of


@pytest.mark.parametrize("name", ["", ".", "..", ".guard", "a/b", "/etc/passwd", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="expected a node name"):
        path_of(Path("incarnations"), name)


def test_a_plain_name_is_a_file_of_the_directory() -> None:
    assert Path("incarnations/trader-1") == path_of(Path("incarnations"), "trader-1")
