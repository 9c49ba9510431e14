"""A slice is a finding only where the model is worse there beyond chance."""

from dataclasses import replace

from sparkml_ops.models import Figure, SliceFigure
from sparkml_ops.training.diagnose import list_findings
from sparkml_ops.training.diagnosis_figures import DataFigures, DiagnosisFigures, FitFigures
from sparkml_ops.training.findings_slices import judge_slice_figures

ULM = SliceFigure(
    "town", "Ulm", is_others=False, rows=1200, positives=90, figure=Figure(0.61, 0.55, 0.67),
    difference=Figure(-0.1, -0.16, -0.04), p_value=0.001, corrected=0.003, is_worse=True,
)  # fmt: skip


def test_worse_slices_are_named_the_worst_first() -> None:
    missing = replace(ULM, value=None, difference=Figure(-0.2, None, None), figure=Figure(0.51, None, None))
    fine = replace(ULM, value="Bonn", is_worse=False)
    (found,) = judge_slice_figures([fine, ULM, missing], metric="roc_auc")
    assert (found.finding, found.severity) == ("worse_slices", "attention")
    assert found.sentence == (
        "roc_auc is worse on 2 of 3 slices than on all other rows: town is missing (roc_auc 0.510, 1,200 rows), "
        "town=Ulm (roc_auc 0.610, 1,200 rows)"
    )
    assert found.figures == {"slices": 2, "judged": 3, "largest_difference": -0.2}


def test_slices_are_among_the_findings_of_a_training() -> None:
    figures = DiagnosisFigures(DataFigures({}, {}, {}, 0, 1, {}, {}), FitFigures("roc_auc"))
    names = [one.finding for one in list_findings(figures, [ULM])]
    assert "worse_slices" in names
    assert "worse_slices" not in [one.finding for one in list_findings(figures, [replace(ULM, is_worse=False)])]
