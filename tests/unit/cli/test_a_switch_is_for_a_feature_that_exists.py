"""A misspelt feature is refused before anything is opened or journaled, as the API refuses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from trading_orchestrator.cli import features
from trading_orchestrator.perpetual_operations.features import FeatureUnknown


@pytest.mark.parametrize("command", [features.on, features.off])
def test_a_misspelt_feature_is_refused_with_the_nearest(tmp_path: Path, command: Callable[..., None]) -> None:
    with pytest.raises(FeatureUnknown, match="no feature is named 'recovry'; did you mean `recovery`"):
        command("recovry", by="ada", reason="a test", data_dir=tmp_path)

    assert [] == [*tmp_path.iterdir()]
