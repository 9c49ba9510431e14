"""What the gates saw, as figures in `metrics`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sparkml_ops.config.column_reads import list_personal_features
from sparkml_ops.lake import Lake, Metric, record_metrics
from sparkml_ops.promotion.evidence import CHAMPION, Evidence
from sparkml_ops.promotion.fairness import RATES, compute_rates
from sparkml_ops.promotion.gates import GateResult

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase

MOST_GROUPS = 100  # the largest ones: past that it is a key, and no column of groups


def record_figures(
    lake: Lake, evidence: Evidence, gates: list[GateResult], *, use_case: "UseCase", version: int, run_id: str
) -> None:
    """Append to `metrics` what each gate said, the figures of candidate and trivial model, and the rates of groups."""
    verdicts = {"passed": "ok", "failed": "alert", "unopposed": "info"}
    figures = [
        Metric(
            "gate",
            gate.gate,
            "figure",
            gate.figure,
            threshold=gate.threshold,
            verdict=verdicts[gate.verdict],
            model_version=version,
            details=gate.reason,
        )
        for gate in gates
    ]
    figures += [
        Metric("gate", who.strip("_"), metric, f.value, lower=f.lower, upper=f.upper, model_version=version)
        for who, evaluation in evidence.evaluations.items()
        if who != CHAMPION
        for metric, f in evaluation.metrics.items()
    ]
    figures += _list_rates(evidence, use_case, version=version)
    record_metrics(lake, figures, run_id=run_id, step="promote", write_id=f"promote:{run_id}:{version}")


def _list_rates(evidence: Evidence, use_case: "UseCase", *, version: int) -> Iterator[Metric]:
    """The rate of each group that is large enough to count, but for values of personal data."""
    gate = use_case.gates.fairness
    if gate is None:
        return
    personal = list_personal_features(use_case)
    told = [one for one in evidence.groups if one.column not in personal]
    for one in compute_rates(told[:MOST_GROUPS], gate.measure):
        if one.base >= gate.minimum_rows:
            name = f"{one.column} is missing" if one.value is None else f"{one.column}={one.value}"
            yield Metric("gate", name, RATES[gate.measure], one.rate, model_version=version, details=f"{one.base} rows")
