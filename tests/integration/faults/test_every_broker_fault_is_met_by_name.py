"""F1-F25, the faults of a venue and its streams: each is met by a test that carries its number."""

from __future__ import annotations

import re
from pathlib import Path

# In a test's own name, in the id of one of its cases, or as the venue's name of the fault that a case sets.
NUMBERED = re.compile(r'def test_f(\d+)_|id="f(\d+)|\("F(\d+)", \{|parametrize\("fault", \["F(\d+)", "F(\d+)"\]')


def test_none_of_f1_to_f25_is_left_out() -> None:
    sources = [path.read_text() for path in sorted(Path(__file__).parent.glob("test_f*.py"))]
    met = {int(number) for source in sources for found in NUMBERED.findall(source) for number in found if number}

    assert set() == set(range(1, 26)) - met
