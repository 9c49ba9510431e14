"""Findings about slices of the judged rows. Pure."""

from collections.abc import Iterator, Sequence

from sparkml_ops.models import SliceFigure
from sparkml_ops.training.diagnosis import Finding, name_some


def judge_slice_figures(slices: Sequence[SliceFigure], *, metric: str) -> Iterator[Finding]:
    """Slices on which the model is worse than on all other rows, more than chance and the number of slices explain."""
    worse = sorted((one for one in slices if one.is_worse), key=lambda one: -abs(one.difference.value or 0.0))
    if not worse:
        return
    is_error = metric in ("rmse", "mae")
    told = name_some([f"{one.name} ({metric} {one.figure.value or 0.0:.3f}, {one.rows:,} rows)" for one in worse])
    yield Finding(
        "worse_slices",
        "attention",
        f"{metric} is worse on {len(worse)} of {len(slices)} slices than on all other rows: {told}",
        {"slices": len(worse), "judged": len(slices), "largest_difference": worse[0].difference.value or 0.0},
        "look what these rows lack: features that say something there, or training rows like them; "
        "where nothing helps, say so in model.card.limits"
        + (
            "; where labels are large, errors are too: a slice of large labels may want its logarithm"
            if is_error
            else ""
        ),
    )
