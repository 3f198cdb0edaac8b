"""Every kind of rule becomes PromQL that means the same; what cannot be said there is said so."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trading_orchestrator.perpetual_operations.alerts.rules.config import RulesConfig, measured_rules
from trading_orchestrator.perpetual_operations.alerts.rules.prometheus_export import exported, promql

LAG: dict[str, Any] = {"kind": "threshold", "name": "Lag", "metric": "lag", "threshold": 100}
RULES: list[tuple[dict[str, Any], str]] = [
    ({**LAG, "clear": 80, "where": ['feed!="x"']}, 'lag{feed!="x"} > 100'),
    ({**LAG, "function": "avg", "window": 90}, "avg_over_time(lag[90s]) > 100"),
    (
        {**LAG, "function": "rate", "window": 60, "across": "sum", "by": ["desk"], "per": "all", "scale": 100},
        "((sum by (desk) (rate(lag[60s])) / sum by (desk) (rate(all[60s]))) * 100) > 100",
    ),
    ({"kind": "absent", "name": "Gone", "metric": "m", "where": ["a=b"]}, 'absent(m{a="b"})'),
    ({"kind": "absent", "name": "Away", "metric": "m", "window": 1.5}, "absent_over_time(m[1500ms])"),
    ({"kind": "stale", "name": "Old", "metric": "m", "older_than": 9},
     "(time() - max_over_time(timestamp(m)[1d:1m])) > 9"),
    (
        {"kind": "predictive", "name": "Fills", "metric": "free", "limit": 0, "direction": "falls", "within": 600,
         "window": 3600},
        "((free - 0) / (-deriv(free[3600s]) > 0)) < 600",
    ),
    ({"kind": "anomaly", "name": "Odd", "metric": "rss"}, 'anomaly_score{metric="rss"} >= 0.5'),
    (
        {"kind": "combined", "name": "Both", "for": 3, "keep_firing_for": 4,
         "conditions": [{"measure": {"metric": "a"}, "compare": ">", "threshold": 1},
                        {"measure": {"metric": "b", "minus": {"metric": "c"}}}],
         "unless": [{"measure": {"metric": "d", "function": "value_age"}, "compare": "<", "threshold": -1}]},
        "a > 1 and (b - c) unless (time() - d) < -1",
    ),
    (
        {"kind": "combined", "name": "Either",
         "conditions": [{"measure": {"metric": "a"}, "compare": ">", "threshold": 1}],
         "or": [[{"measure": {"metric": "b"}}, {"measure": {"metric": "c"}}]],
         "unless": [{"measure": {"metric": "d"}}]},
        "(a > 1 or b and c) unless d",
    ),
    ({"kind": "health", "name": "Down"}, "health_badness >= 3 and health_is_cause == 1"),
]  # fmt: skip
OTHERS: list[dict[str, Any]] = [
    {"kind": "burn_rate", "name": "Slo", "bad": "bad", "total": "all", "objective": 0.999},
    {"kind": "heartbeat", "name": "Beat", "monitor": 'a"b', "timeout": 60},
    {"kind": "fact", "name": "Seen", "fact": "order.quarantined", "firing_for": 60},
    {**LAG, "name": "Texts", "labels": {"a": "{{ $labels.feed }}"}, "summary": 'say "hi": {{ $value }}\n#'},
]


def config(*rules: dict[str, Any]) -> RulesConfig:
    return msgspec.convert({"watch": list(rules)}, RulesConfig)


@pytest.mark.parametrize(("rule", "expected"), RULES)
def test_a_rule_reads_in_promql(rule: dict[str, Any], expected: str) -> None:
    assert [expected] == [promql(one) for one in measured_rules(config(rule).watch)]


def test_a_burn_rate_looks_at_both_windows_and_at_the_number_of_events() -> None:
    first = measured_rules(config(OTHERS[0]).watch)[0]

    expected = (
        "(sum (increase(bad[3600s])) / sum (increase(all[3600s]))) > 0.0144"
        " and (sum (increase(bad[300s])) / sum (increase(all[300s]))) > 0.0144"
        " and sum (increase(all[3600s])) >= 10"
    )
    assert expected == promql(first).replace("0.014400000000000013", "0.0144")


def test_what_prometheus_cannot_say_is_a_comment() -> None:
    text = exported(config({**LAG, "clear": 80}, OTHERS[2]).watch)

    assert "# Lag: clears at 80 here" in text
    assert "# Seen: looks at facts" in text
    assert 1 == text.count("- alert:")


def test_promtool_finds_nothing_wrong(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here (Debian's package prometheus has it)")
    file = tmp_path / "rules.yaml"
    rules = [{**rule, "name": f"{rule['name']}{number}"} for number, (rule, _) in enumerate(RULES)]
    file.write_text(exported(config(*rules, *OTHERS).watch))

    checked = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False)

    assert (0, True) == (checked.returncode, "18 rules found" in checked.stdout), checked.stdout + checked.stderr
