"""Whatever is measured, and whenever, is read back exactly: every float64, every int64, any steps."""

from __future__ import annotations

import msgspec
import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from trading_orchestrator.perpetual_operations.monitoring.history.floats import (
    PackedFloats,
    Scaled,
    Xored,
    pack_floats,
    unpack_floats,
)
from trading_orchestrator.perpetual_operations.monitoring.history.integers import PackedInts, pack_ints, unpack_ints

INT64 = st.integers(-(2**63), 2**63 - 1)
ANY_BITS = st.integers(0, 2**64 - 1).map(lambda bits: float(np.uint64(bits).view(np.float64)))
DECIMAL = st.builds(lambda number, places: round(number / 10**places, places), st.integers(-(10**9), 10**9),
                    st.integers(0, 6))  # fmt: skip
ODD = st.sampled_from([float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2])
COLUMN = st.one_of(
    st.lists(st.floats(allow_nan=True, allow_subnormal=True), min_size=1, max_size=200),
    st.lists(ANY_BITS, min_size=1, max_size=100),
    st.lists(DECIMAL, min_size=1, max_size=200),
    st.lists(st.one_of(DECIMAL, DECIMAL, DECIMAL, DECIMAL, ODD), min_size=1, max_size=200),
)
DECODER: msgspec.msgpack.Decoder[PackedFloats] = msgspec.msgpack.Decoder(PackedFloats)
STEPS = st.lists(st.one_of(st.just(1_000_000_000), st.integers(-5, 5), INT64), min_size=1, max_size=200)


def through_bytes(packed: PackedFloats) -> PackedFloats:
    """Return the column as it is read from the file."""
    return DECODER.decode(msgspec.msgpack.encode(packed))


@given(COLUMN)
@example([-0.0])
@example([float("nan")])
@example([0.1 + 0.2] * 3)
@example([0.5, float("nan")] + [0.25] * 40)
def test_every_float_comes_back(values: list[float]) -> None:
    column = np.array(values, dtype=np.float64)

    read = unpack_floats(through_bytes(pack_floats(column)), len(column))

    assert column.view(np.uint64).tolist() == read.view(np.uint64).tolist()


@given(st.lists(INT64, min_size=1, max_size=200))
@example([-(2**63), 2**63 - 1])
@example([2**63 - 1, -(2**63), 0])
def test_every_integer_comes_back(numbers: list[int]) -> None:
    packed = msgspec.msgpack.decode(
        msgspec.msgpack.encode(pack_ints(np.array(numbers, dtype=np.int64))), type=PackedInts
    )

    assert numbers == unpack_ints(packed, len(numbers)).tolist()


@given(INT64, STEPS)
def test_times_come_back_whatever_their_steps(start: int, steps: list[int]) -> None:
    times = np.cumsum(np.array([start, *steps], dtype=np.int64))

    assert times.tolist() == unpack_ints(pack_ints(times), len(times)).tolist()


def test_both_ways_of_packing_are_taken() -> None:
    decimals = np.round(np.arange(100) / 1000, 3)
    mantissas = np.sqrt(np.arange(2, 102))

    assert isinstance(pack_floats(decimals), Scaled)
    assert isinstance(pack_floats(mantissas), Xored)
