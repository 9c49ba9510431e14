"""LightGBM's gradient-boosted trees."""

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml_ops.config.model import ClassWeight, Model
from sparkml_ops.errors import ConfigError
from sparkml_ops.training.estimators._base import FitSettings, JudgedFit, TrialFit
from sparkml_ops.training.estimators.figures import keep_known, measure_answers, require_learnable
from sparkml_ops.training.matrix import Part, map_matrix
from sparkml_ops.training.weights import weigh_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

KIND = "lightgbm"
MAX_ROUNDS = 2000  # early stopping ends nearly every fit long before; `num_iterations` in `model.params` changes it
METRIC_NAMES = {
    "binary": {"roc_auc": "auc", "pr_auc": "average_precision", "log_loss": "binary_logloss"},
    "regression": {"rmse": "rmse", "mae": "l1"},
    "multiclass": {"log_loss": "multi_logloss"},
}
STOP_METRIC = "log_loss"  # ranks settle long before probabilities do: stopped by them, a model says too little
HALVED_ROWS = 100  # to tune on; of fewer, half would choose rounds by chance
OBJECTIVES = ("regression", "regression_l1", "huber", "fair", "quantile", "mape")
"""That a regression may name: the answer is the sum of the leaves, so that what columns add is in units of the label."""
_ALIASES = dict.fromkeys(
    ("regression_l2", "l2", "mean_squared_error", "mse", "l2_root", "root_mean_squared_error", "rmse"), "regression"
)
_ALIASES |= dict.fromkeys(("l1", "mean_absolute_error", "mae"), "regression_l1") | {
    "mean_absolute_percentage_error": "mape"
}
OURS = frozenset({
    "objective", "metric", "seed", "deterministic", "force_row_wise", "force_col_wise", "num_threads", "verbosity",
    "categorical_feature", "early_stopping_round", "num_class", "feature_pre_filter", "data", "valid", "task",
    "monotone_constraints", "weight_column",
})  # fmt: skip
"""Parameters that the framework sets: by `model.metric`, `model.search.seed`, the feature columns, the wishes and the cores."""
OF_CLASSES = ("is_unbalance", "scale_pos_weight")
"""Parameters that weigh the classes, as `model.class_weight` does."""
KEYS = ("class_weight", "sample_weight", "monotone")
"""Keys of `model`, which are no parameters of LightGBM."""
OF_DATA = frozenset({
    "max_bin", "max_bin_by_feature", "min_data_in_bin", "bin_construct_sample_cnt", "data_random_seed", "use_missing",
    "zero_as_missing", "is_enable_sparse", "enable_bundle", "linear_tree", "forcedbins_filename",
})  # fmt: skip
"""Parameters that decide how rows are binned; trials that agree in them share the binned rows."""
HOW_TO_BIN = ("feature_pre_filter", "num_threads", "verbosity")


def check_params(estimator: str, names: Sequence[str], *, task: str = "binary") -> None:  # noqa: ARG001
    """Refuse parameters that LightGBM does not know, which it would ignore in silence, and those that are ours to set.

    Raises:
        ConfigError: Names them, with the nearest known name.
    """
    known = _find_canonical_names()
    for name in names:
        if name in KEYS:
            raise ConfigError(f"LightGBM has no parameter {name!r}: it is a key of its own, model.{name}.")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise ConfigError(f"LightGBM has no parameter {name!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        if known[name] in OURS and not (task == "regression" and known[name] == "objective"):
            raise ConfigError(
                f"The LightGBM parameter {name!r} is set by the framework (from model.metric, model.search.seed, "
                "model.early_stopping_rounds, model.monotone, model.sample_weight, the feature columns and the cores): take "
                "it out of model.params and of model.search.space."
            )


def check_wishes(model: Model, names: Sequence[str]) -> None:
    """Refuse parameters that would weigh the classes a second time, or would not keep the directions.

    Raises:
        ConfigError: Names the parameter, and which of the two to take.
    """
    known = _find_canonical_names()
    if model.task != "binary":
        _check_other_task({known[name]: name for name in names if name in known}, model)
    for name in names:
        if model.class_weight is not None and known.get(name) in OF_CLASSES:
            raise ConfigError(
                f"The LightGBM parameter {name!r} would weigh the classes a second time, beside model.class_weight: keep "
                "one of the two."
            )
        if model.monotone and known.get(name) == "linear_tree" and model.params.get(name) is not False:
            raise ConfigError(
                f"The LightGBM parameter {name!r} and model.monotone exclude each other: lines within leaves keep no "
                "direction. Take one of the two out."
            )


def fit_trial(folder: str, settings: FitSettings) -> TrialFit:
    """Boost until the log loss of the tuning rows falls no more; the other metrics are those of that round."""
    import lightgbm

    params, names = _complete_params(settings, threads=1), METRIC_NAMES[settings.task]
    rounds = params.pop("num_iterations", MAX_ROUNDS)
    of_data = tuple(sorted((name, value) for name, value in params.items() if name in OF_DATA))
    train, valid = _load_binned(
        folder,
        of_data,
        tuple(settings.categorical_positions),
        settings.class_weight,
        (settings.task, tuple(settings.classes)),
    )
    stop = lightgbm.early_stopping(settings.early_stopping_rounds, first_metric_only=True, verbose=False)
    booster = lightgbm.train(params, train, rounds, valid_sets=[valid], valid_names=["valid"], callbacks=[stop])
    scores = booster.best_score["valid"]
    metrics = {name: float(scores[short]) for name, short in names.items() if short in scores}
    if settings.task == "regression":  # LightGBM knows no r2
        variance = float(np.var(valid.get_label().astype(np.float64)))
        metrics["r2"] = 1.0 - metrics["rmse"] ** 2 / variance
    if settings.task == "multiclass":  # boosting looked at rows of known classes; the others count as wrong
        every = map_matrix(folder).valid
        metrics = measure_answers(every.labels, _answer(booster, np.asarray(every.features)), task=settings.task)
    return TrialFit(metrics=metrics, rounds=int(booster.best_iteration or booster.current_iteration()))


def _answer(booster: Any, features: "NDArray[np.float64]") -> "NDArray[np.float64]":
    return np.asarray(booster.predict(features, num_threads=1), dtype=np.float64)


def fit_final(rows: Part, settings: FitSettings, rounds: int) -> Any:
    """Boost for as many rounds as given; `deterministic` keeps the trees the same for any number of threads."""
    import lightgbm

    rows = keep_known(rows, settings.classes)
    require_learnable(rows.labels, "to fit on", task=settings.task)
    params = _complete_params(settings, threads=settings.threads or len(os.sched_getaffinity(0)))
    params.pop("num_iterations", None)
    data = _bin_rows(weigh_part(rows, settings.class_weight), params, settings.categorical_positions)
    return lightgbm.train(params, data, rounds)


def fit_judged(train: Part, valid: Part, settings: FitSettings, rounds: int) -> JudgedFit:
    """Boost on some rows, and answer each row to tune on by as many rounds as the rows of the other half found best.

    So no row has a say in the model that it judges. Halves are halves of the time. Of few rows the rounds are those given.
    """
    import lightgbm

    require_learnable(train.labels, "to fit on", task=settings.task)
    params = _complete_params(settings, threads=1) | {"metric": METRIC_NAMES[settings.task][STOP_METRIC]}
    most = params.pop("num_iterations", MAX_ROUNDS)
    data = _bin_rows(weigh_part(train, settings.class_weight), params, settings.categorical_positions)
    features, middle = np.asarray(valid.features), len(valid.labels) // 2
    if len(valid.labels) < HALVED_ROWS:
        fitted = lightgbm.train(params, data, rounds)
        return JudgedFit(np.asarray(fitted.predict(features, num_threads=1)), rounds)
    halves = [replace(valid.take(part), weights=None) for part in (slice(middle), slice(middle, None))]
    booster = lightgbm.Booster(params, data)
    for half in halves:
        booster.add_valid(_bin_rows(half, params, settings.categorical_positions, like=data), "half")
    losses = _boost(booster, most, settings.early_stopping_rounds, [len(half.labels) for half in halves])
    best = losses.argmin(axis=0) + 1
    answers = [booster.predict(features, num_iteration=int(other), num_threads=1) for other in best[[1, 0]]]
    return JudgedFit(np.concatenate([answers[0][:middle], answers[1][middle:]]), int(best[2]))


def _boost(booster: Any, most: int, patience: int, sizes: Sequence[int]) -> "NDArray[np.float64]":
    """Boost until the loss of all rows to tune on falls no more; losses of shape (rounds, 3): of both halves, and of all."""
    losses: list[list[float]] = []
    best = 0
    while len(losses) < most and len(losses) - best <= patience:
        is_over = booster.update()
        of_halves = [float(value) for _, _, value, _ in booster.eval_valid()]
        losses.append([*of_halves, float(np.average(of_halves, weights=sizes))])
        if losses[-1][2] < losses[best][2]:
            best = len(losses) - 1
        if is_over:
            break
    return np.array(losses)


def weigh_columns(fitted: Any, names: Sequence[str]) -> dict[str, float]:
    """Share of all splits' gain."""
    gains = fitted.feature_importance(importance_type="gain")
    total = float(gains.sum()) or 1.0
    return {
        name: float(gain) / total
        for gain, name in sorted(zip(gains, names, strict=True), key=lambda pair: (-pair[0], pair[1]))
    }


def _complete_params(settings: FitSettings, *, threads: int) -> dict[str, Any]:
    canonical = _find_canonical_names()
    names = METRIC_NAMES[settings.task]
    if settings.task != "regression":
        metrics = list(dict.fromkeys([names[STOP_METRIC], names.get(settings.metric, names[STOP_METRIC])]))
    else:  # the first stops: of r2 it is rmse, which falls as r2 rises
        _require_objective(settings.params)
        metrics = ["l1", "rmse"] if settings.metric == "mae" else ["rmse", "l1"]
    directions = {"monotone_constraints": list(settings.directions)} if any(settings.directions) else {}
    return {
        "objective": settings.task,
        **({"num_class": len(settings.classes)} if settings.classes else {}),
        **{canonical[name]: value for name, value in settings.params.items()},
        "metric": metrics,
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,  # otherwise LightGBM times both ways and takes the faster: not the same trees each time
        "feature_pre_filter": False,  # otherwise min_data_in_leaf is fixed once rows are binned
        "num_threads": threads,
        "verbosity": -1,
        **directions,
    }


def _check_other_task(names: Mapping[str, str], model: Model) -> None:
    """The objective is one whose answers are known here, and parameters of two classes are not there.

    Args:
        names: As they are written, by LightGBM's own name.
        model: Its fixed parameters; a searched objective that cannot be fails its trial.
    """
    is_regression = model.task == "regression"
    if is_regression:
        _require_objective(model.params)
    for own in (*OF_CLASSES, "reg_sqrt"):
        if own in names:
            why = (
                "a regression has no classes"
                if is_regression
                else "it is of two classes; take model.class_weight: balanced"
            )
            why = "answers would not be sums of leaves" if own == "reg_sqrt" else why
            raise ConfigError(f"The LightGBM parameter {names[own]!r} cannot be had here: {why}. Take it out.")


def _require_objective(params: Mapping[str, Any]) -> None:
    canonical = _find_canonical_names()
    for name, value in params.items():
        if canonical.get(name) == "objective" and _ALIASES.get(str(value), value) not in OBJECTIVES:
            raise ConfigError(
                f"model.params.{name}: found {value!r}; of a regression it may be one of {', '.join(OBJECTIVES)}."
            )


@lru_cache(maxsize=1)
def _load_binned(
    folder: str,
    of_data: tuple[tuple[str, Any], ...],
    categorical: tuple[int, ...],
    class_weight: ClassWeight | None,
    answered: tuple[str, tuple[str, ...]],
) -> tuple[Any, Any]:
    """The binned rows, kept by the Python worker from trial to trial; the float64 matrix is given back at once.

    The rows to tune on have no weights: figures and the end of boosting are those of rows that count once each. `answered` is the task,
    and its classes, if any.
    """
    matrix, (task, classes) = map_matrix(folder), answered
    require_learnable(matrix.train.labels, "to fit on", task=task)
    valid = keep_known(matrix.valid, classes)
    require_learnable(valid.labels, "to tune on", task=task)
    params = dict(of_data) | {"feature_pre_filter": False, "num_threads": 1, "verbosity": -1}
    train = _bin_rows(weigh_part(matrix.train, class_weight), params, categorical)
    return train, _bin_rows(replace(valid, weights=None), params, categorical, like=train)


def _bin_rows(rows: Part, params: Mapping[str, Any], categorical: Sequence[int], *, like: Any = None) -> Any:
    import lightgbm

    of_data = {name: value for name, value in params.items() if name in OF_DATA or name in HOW_TO_BIN}
    positions = list(categorical)
    data = lightgbm.Dataset(
        rows.features,
        rows.labels,
        weight=rows.weights,
        reference=like,
        categorical_feature=positions,
        params=of_data,
    )
    return data.construct()


@lru_cache(maxsize=1)
def _find_canonical_names() -> dict[str, str]:
    """LightGBM's name of a parameter, by each of its aliases."""
    from lightgbm.basic import _ConfigAliases

    aliases: dict[str, list[str]] = _ConfigAliases._get_all_param_aliases()  # noqa: SLF001  # there is no public list
    return {alias: name for name, others in aliases.items() for alias in (name, *others)}
