"""A venue that is started wrongly says so with exit code 2, and makes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from trading_orchestrator.practice_venue.command_line import main


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--port", "99999", "argument --port: expected a number from 0 to 65535, was '99999'"),
        ("--control-port", "-1", "argument --control-port: expected a number from 0 to 65535, was '-1'"),
    ],
)
def test_a_port_that_is_none_is_no_other_port(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--data-dir", str(tmp_path / "venue"), f"{option}={value}"])

    assert (2, []) == (ended.value.code, list(tmp_path.iterdir()))
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("speed", ["inf", "nan", "0", "-1", "1e9"])
def test_a_speed_is_a_finite_one(tmp_path: Path, capsys: pytest.CaptureFixture[str], speed: str) -> None:
    assert 2 == main(["--data-dir", str(tmp_path / "venue"), f"--speed={speed}"])
    assert [] == list(tmp_path.iterdir())
    assert "expected --speed above 0 and at most 1,000,000, was" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["nan", "snan", "inf", "-1", "1e30", "1,5", "x"])
@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--step-size", "expected a number above 0 and at most 1,000,000, was"),
        ("--level-notional", "expected a number above 0 and at most 1,000,000,000, was"),
        ("--maker-fee", "expected a share from 0 to below 1, was"),
        ("--taker-fee", "expected a share from 0 to below 1, was"),
    ],
)
def test_a_quantity_or_a_fee_is_a_sensible_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, said: str, value: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--data-dir", str(tmp_path / "venue"), f"{option}={value}"])

    assert (2, []) == (ended.value.code, list(tmp_path.iterdir()))
    assert f"argument {option}: {said} {value!r}" in capsys.readouterr().err
