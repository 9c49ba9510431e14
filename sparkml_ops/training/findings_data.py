"""Findings about the rows: too few, too poor, shifted, or labelled wrongly. Pure."""

from collections.abc import Iterator

from sparkml_ops.training.diagnosis import Finding, count_columns, name_some
from sparkml_ops.training.diagnosis_figures import DataFigures, DiagnosisFigures, Shift, SuspectFigures

EVENTS_TO_LEARN = 100  # rows of the rarer class in train: with fewer, half of the splits of a tree are chance
EVENTS_TO_JUDGE = 50  # in valid and test: below, the standard error of a ROC AUC is above 0.04 (Hanley and McNeil 1982)
EVENTS_PER_COLUMN = 10  # the rule of Peduzzi et al. 1996 for regressions; trees want more rather than less
DAYS = {"train": 14, "valid": 5, "test": 5}
"""Each weekday twice to learn from; to judge on, what the block bootstrap needs for an interval."""
MOSTLY_MISSING = 0.9  # nine of ten values: what is left is rarely enough to learn from
REPEATED = 0.05  # one row in twenty, beyond what the same moment and the same values give by chance
DOUBTFUL_LABELS = 0.02  # a calibrated model contradicts fewer labels so confidently: see `find_suspects`, and of numbers `implausible.py`


def judge_data(figures: DataFigures) -> Iterator[Finding]:
    """Too little or too poor data."""
    yield from _judge_events(figures)
    short = {part: figures.days.get(part, 0) for part, least in DAYS.items() if figures.days.get(part, 0) < least}
    if short:
        told = ", ".join(f"{part} {days} (of {DAYS[part]})" for part, days in short.items())
        yield Finding(
            "few_days",
            "info",
            f"few days to learn from or to judge on: {told}",
            {f"days_{part}": days for part, days in short.items()},
            "take a longer time into dataset.split: figures of a few days say little about the next ones",
        )
    yield from _judge_columns(figures)
    rows = figures.rows.get("train", 0)
    if rows and figures.repeated / rows > REPEATED:
        yield Finding(
            "repeated_rows",
            "attention",
            f"{figures.repeated:,} of {rows:,} training rows repeat another one: the same moment, label and features",
            {"rows": figures.repeated, "share": figures.repeated / rows},
            "look for a source that delivers rows twice under other keys, or a join that doubles them; "
            "if they are different things, the features are too coarse to tell them apart",
        )


def _judge_events(figures: DataFigures) -> Iterator[Finding]:
    rare, what = _count_events(figures)
    least = {"train": EVENTS_TO_LEARN, "valid": EVENTS_TO_JUDGE, "test": EVENTS_TO_JUDGE}
    few = {part: rare.get(part, 0) for part, wanted in least.items() if rare.get(part, 0) < wanted}
    if few:
        told = ", ".join(f"{part} {count} (of {least[part]})" for part, count in few.items())
        yield Finding(
            "too_little_data",
            "attention",
            f"too little data: {what} are few: {told}",
            {f"events_{part}": count for part, count in few.items()},
            "take more time or more entities into the dataset; until then take simple parameters and do not trust small differences",
        )
    elif rare.get("train", 0) < EVENTS_PER_COLUMN * figures.columns:
        yield Finding(
            "many_columns",
            "info",
            f"{figures.columns} feature columns for {rare.get('train', 0):,} training {what}",
            {"columns": figures.columns, "events_train": rare.get("train", 0)},
            f"leave out what is of no use, or take more rows: {EVENTS_PER_COLUMN} {what} for each column are a rule of thumb",
        )


def _count_events(figures: DataFigures) -> tuple[dict[str, int], str]:
    """What can be learned from, by part, and the words for it: of two classes the rarer one, of numbers all rows."""
    if not figures.positives:
        return dict(figures.rows), "rows"
    positives = {part: figures.positives.get(part, 0) for part in figures.rows}
    rare = {part: min(positives[part], rows - positives[part]) for part, rows in figures.rows.items()}
    return rare, "rows of the rarer class"


def _judge_columns(figures: DataFigures) -> Iterator[Finding]:
    if figures.left_out:
        names = sorted(figures.left_out)
        yield Finding(
            "constant_columns",
            "info",
            f"{count_columns(len(names))} left out, missing or the same value in all training rows: {name_some(names)}",
            {"columns": len(names)},
            "look whether their views are filled for the time of the training rows, or take them out",
        )
    sparse = sorted(
        (name for name, share in figures.missing.items() if share > MOSTLY_MISSING), key=lambda n: -figures.missing[n]
    )
    if sparse:
        yield Finding(
            "missing_values",
            "info",
            f"{count_columns(len(sparse))} missing in more than {MOSTLY_MISSING:.0%} of the training rows: {name_some(sparse)}",
            {"columns": len(sparse), "highest_share": figures.missing[sparse[0]]},
            "look at ttl and available_after of their views, or whether keys match; take them out if that is how it is",
        )


def judge_shifts(figures: DiagnosisFigures) -> Iterator[Finding]:
    """Columns whose values have changed between the parts more than chance explains."""
    moved: dict[str, Shift] = {}
    for shift in sorted(figures.shifts, key=lambda one: -one.psi):
        if shift.psi > figures.shift_limit + shift.chance:
            moved.setdefault(shift.column, shift)
    if moved:
        told = name_some([f"{one.column} ({one.part} {one.psi:.2f})" for one in moved.values()])
        yield Finding(
            "unstable_features",
            "attention",
            f"values of {count_columns(len(moved))} have changed since train, PSI above {figures.shift_limit:g}: {told}",
            {"columns": len(moved), "highest_psi": next(iter(moved.values())).psi},
            "what is learned from them may not hold: use ratios or differences in place of levels and counts that grow, or a later train part",
        )


def judge_suspects(figures: SuspectFigures | None) -> Iterator[Finding]:
    """Labels that are perhaps wrong."""
    if figures is None or not figures.looked_at or figures.rows / figures.looked_at <= DOUBTFUL_LABELS:
        return
    share = figures.rows / figures.looked_at
    shown = f", such as {'; '.join(figures.keys)}" if figures.keys else ""
    far = "lie much farther from the prediction than labels of like rows do"
    doubt = far if figures.are_numbers else "contradict a confident prediction"
    yield Finding(
        "doubtful_labels",
        "attention",
        f"the labels of {figures.rows:,} of {figures.looked_at:,} valid rows ({share:.1%}) {doubt}{shown}",
        {"rows": figures.rows, "share": share},
        "look at these rows by hand: wrong labels, labels that were taken too early (label_matures_after), or a case that no feature tells of",
    )
