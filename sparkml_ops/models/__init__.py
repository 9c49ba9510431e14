"""The only room that knows MLflow: tracking, registry, the packaged model, bulk prediction and how good it is."""

from sparkml_ops.models.bulk import PREDICTION, REASONS, predict_rows
from sparkml_ops.models.encoder import EncodedColumn, FeatureEncoder, find_kind, fit_encoder
from sparkml_ops.models.evaluation import (
    CalibrationGroup,
    Comparison,
    Difference,
    Evaluation,
    Figure,
    compare,
    evaluate,
    evaluate_all,
)
from sparkml_ops.models.experiments import (
    RunFigures,
    close_abandoned_runs,
    finish_run,
    list_nested,
    log_document,
    log_figures,
    log_file,
    open_experiment,
    reopen_run,
    start_run,
)
from sparkml_ops.models.explained_rows import choose_sample_size, draw_rows
from sparkml_ops.models.explanation import (
    LINEAR,
    SHAP,
    ColumnExplanation,
    DependenceGroup,
    Explanation,
    explain_model,
)
from sparkml_ops.models.package import PackagedModel, load_package, save_package
from sparkml_ops.models.reference import (
    ColumnReference,
    Reference,
    count_bins,
    fit_reference,
    population_stability_index,
)
from sparkml_ops.models.registry import (
    ModelVersion,
    delete_alias,
    find_version,
    list_aliases,
    list_versions,
    load_version,
    register_model,
    set_alias,
)
from sparkml_ops.models.score_metrics import HIGHER_IS_BETTER
from sparkml_ops.models.slices import SliceResult, compare_slices
from sparkml_ops.models.tracking import Tracking, prepare_tracking

__all__ = [
    "HIGHER_IS_BETTER",
    "LINEAR",
    "PREDICTION",
    "REASONS",
    "SHAP",
    "CalibrationGroup",
    "ColumnExplanation",
    "ColumnReference",
    "Comparison",
    "DependenceGroup",
    "Difference",
    "EncodedColumn",
    "Evaluation",
    "Explanation",
    "FeatureEncoder",
    "Figure",
    "ModelVersion",
    "PackagedModel",
    "Reference",
    "RunFigures",
    "SliceResult",
    "Tracking",
    "choose_sample_size",
    "close_abandoned_runs",
    "compare",
    "compare_slices",
    "count_bins",
    "delete_alias",
    "draw_rows",
    "evaluate",
    "evaluate_all",
    "explain_model",
    "find_kind",
    "find_version",
    "finish_run",
    "fit_encoder",
    "fit_reference",
    "list_aliases",
    "list_nested",
    "list_versions",
    "load_package",
    "load_version",
    "log_document",
    "log_figures",
    "log_file",
    "open_experiment",
    "population_stability_index",
    "predict_rows",
    "prepare_tracking",
    "register_model",
    "reopen_run",
    "save_package",
    "set_alias",
    "start_run",
]
