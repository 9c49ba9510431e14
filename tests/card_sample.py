"""A version with all that training records of it, for its card."""

from datetime import UTC, datetime
from typing import Any

from sparkml_ops.models import FeatureEncoder, ModelVersion, PackagedModel
from sparkml_ops.models.encoder import EncodedColumn

HOSTILE = '<script>alert("x")</script> | a`b``c|d\n\n# no heading\n\n| - | - |\n[link](javascript:alert(1)) \x1b[31m \u202e *_~ \\| &amp; '


def make_version(**changes: Any) -> ModelVersion:
    facts = {
        "name": "shop", "version": 3, "run_id": "r" * 32, "digest": "d" * 64, "training_set_version": "ts-1", "config_hash": "c0ffee",
        "code_version": "0.1.0+abc", "write_id": "w", "task": "binary", "aliases": (), "source": "/nowhere", "files": {},
        "created_at": datetime(2024, 3, 1, 6, 30, tzinfo=UTC),
    }  # fmt: skip
    return ModelVersion(**{**facts, **changes})  # type: ignore[arg-type]


def make_card_model(text: str = "orders", **changes: Any) -> PackagedModel:
    encoder = FeatureEncoder(
        (
            EncodedColumn(f"{text}__amount", "numeric", fill=12.5, flag=True),
            EncodedColumn(f"{text}__town", "categorical", ("Bonn", text), fill=1.0, others=True),
            EncodedColumn("hour", "numeric"),
        )
    )
    return PackagedModel("shop", "binary", "lightgbm", encoder, None, make_facts(text) | changes)


def make_facts(text: str = "orders") -> dict[str, Any]:
    return {
        "training_set_version": "ts-1",
        "trained_at": "2024-03-01T06:12:00+00:00",
        "use_case": {
            "description": f"Will {text} be returned?", "owner": text, "label": f"returned = '{text}'",
            "intended_use": f"To plan the day of {text}.\n\nNot to judge people.", "limits": "Orders from abroad were not looked at.",
        },
        "training_set": {
            "table": "training_set_ts_1", "table_version": 4, "rows": {"train": 9000, "valid": 3000, "test": 3000},
            "positives": {"train": 900, "valid": 310, "test": 290}, "content_hash": "c", "definition_hash": "d",
            "created_at": "2024-03-01T05:00:00+00:00", "labels_as_of": "2024-03-01T04:59:00+00:00",
        },
        "period": {
            "train": ["2023-01-01T00:00:00+00:00", "2023-08-31T23:59:00+00:00"],
            "valid": ["2023-09-01T00:00:00+00:00", "2023-10-31T23:59:00+00:00"],
            "test": ["2023-11-01T00:00:00+00:00", "2023-12-31T23:59:00+00:00"],
        },
        "estimator": "lightgbm", "params": {"num_leaves": 31, text: text}, "rounds": 123, "metric": "roc_auc", "seed": 7,
        "class_weight": {"0": 1.0, "1": 4.0}, "sample_weight": f"case when town = '{text}' then 2 else 1 end",
        "monotone": {"hour": "increasing"},
        "search": {"trials": 18, "failed": 2, "cancelled": 1, "max_trials": 40, "seconds": 61.0, "best_trial": 4, "best_loss": 0.2},
        "search_by": {"backend": "hyperopt", "algorithm": "tpe"},
        "left_out": {text: f"the same value in all training rows: {text}"},
        "libraries": {"lightgbm": "4.7.0", "numpy": "2.2.0"},
        "column_weights": {f"{text}__amount": 0.75, f"{text}__town": 0.25, f"{text}__amount__missing": 0.0, "hour": 0.0},
        "figures": {
            "candidate": {"roc_auc": figure(0.81, 0.79, 0.83), "log_loss": figure(0.25, 0.24, 0.26)},
            "linear": {"roc_auc": figure(0.82, 0.8, 0.84), "log_loss": figure(0.27, 0.26, 0.28)},
            "trivial": {"roc_auc": figure(0.5), "log_loss": figure(0.31, 0.3, 0.32)},
        },
        "calibration": [{"rows": 300, "predicted": 0.01 * at, "observed": 0.011 * at} for at in range(1, 11)],
        "operating_point": {
            "threshold": {"value": 0.1875, "costs": {"false_positive": 1.0, "false_negative": 5.0, "true_positive": 0.0, "true_negative": 0.0}},
            "outcomes": {"true_positive": 200, "false_positive": 700, "false_negative": 90, "true_negative": 2010},
            "figures": {"precision": figure(0.2222, 0.2, 0.25), "cost_per_row": figure(0.3833, 0.35, 0.41)},
        },
        "explanation": {
            "method": "shap", "rows": 2000, "features": [{"name": f"{text}__amount", "importance": 0.5}] + [{"name": f"x{at}", "importance": 0.0} for at in range(11)],
        },
        "diagnosis": [{"finding": "few_rows", "severity": "attention", "sentence": f"there is little of {text}", "advice": "take more", "figures": {}}],
        "champion": {"version": 2, "note": f"version 2 was fitted on 40 of the test rows of {text}"},
        "kpis": {
            text: {
                "value": f"label * {text}", "per": "label", "better": "lower", "description": f"what {text} cost",
                "figures": {"candidate": figure(12.5, 11.0, 14.0), "linear": figure(13.0), "trivial": figure(None)},
            },
        },
        "slices": [
            make_slice("town=Bonn", corrected=0.4),
            make_slice(f"town={text}", is_worse=True, corrected=0.0004),
            make_slice("town: others", corrected=None),
        ],
        "scoring": {
            "rows": 3000, "seconds": 0.5, "rows_per_second": 6000.0, "rows_per_second_per_core": 24000.5, "peak_mb": 212.4,
            "package_bytes": 45678, "cores": 2, "machine": f"Linux {text}",
        },
        "judged_on": {"rows": 3000, "positives": 290, "days": 61, "reason": None},
    }  # fmt: skip


def figure(value: float | None, lower: float | None = None, upper: float | None = None) -> dict[str, float | None]:
    return {"value": value, "lower": lower, "upper": upper}


def make_slice(name: str, **facts: Any) -> dict[str, Any]:
    return {
        "name": name, "rows": 900, "positives": 80, "figure": figure(0.7, 0.66, 0.74), "difference": figure(-0.12, -0.16, -0.08),
        "is_worse": False, **facts,
    }  # fmt: skip
