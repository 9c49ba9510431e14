"""What a user's package may hold: functions that make pipelines, and trainers of its own."""

import json
from typing import Any

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

SEEN: list[dict[str, Any]] = []
"""What `Curious.fit` was given, by call."""


def make_line() -> Pipeline:
    return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), PCA(1), LogisticRegression())


def make_levels(categorical_positions: list[int], seed: int) -> Pipeline:
    levels = make_pipeline(
        SimpleImputer(strategy="constant", fill_value=-1, keep_empty_features=True),
        OneHotEncoder(handle_unknown="ignore"),
    )
    prepare = make_column_transformer(
        (levels, categorical_positions), remainder=SimpleImputer(keep_empty_features=True)
    )
    return Pipeline([("prepare", prepare), ("forest", RandomForestClassifier(10, random_state=seed))])


def make_without_seed() -> Pipeline:
    return Pipeline([("fill", SimpleImputer(keep_empty_features=True)), ("forest", RandomForestClassifier(10))])


def make_nothing() -> int:
    return 3


def make_of_table(table: str) -> Pipeline:
    return make_pipeline(LogisticRegression(), memory=table)


def make_lambda() -> Pipeline:
    return make_pipeline(FunctionTransformer(lambda matrix: matrix), LogisticRegression())


def make_transforming() -> Pipeline:
    return make_pipeline(FunctionTransformer(fill), LogisticRegression())


def make_svm() -> Pipeline:
    return make_pipeline(SimpleImputer(), SVC())


def fill(matrix: np.ndarray) -> np.ndarray:
    return np.nan_to_num(matrix)


class Untagged:
    """Keeps to scikit-learn's interface without its tags."""

    classes_ = (0, 1)

    def fit(self, matrix: np.ndarray, labels: np.ndarray) -> "Untagged":
        return self

    def predict_proba(self, matrix: np.ndarray) -> np.ndarray:
        return np.full((len(matrix), 2), 0.5)


class Shares:
    """The share of positives in each bin of the first column; kept by skops."""

    def __init__(self, bins: int = 8, least: float = 0.0) -> None:
        self.bins, self.least = bins, least

    def fit(self, features: np.ndarray, labels: np.ndarray, sample_weight: np.ndarray | None = None) -> None:
        first = np.nan_to_num(features[:, 0])
        self.edges = np.quantile(first, np.linspace(0, 1, self.bins + 1)[1:-1])
        at = np.searchsorted(self.edges, first)
        counts = np.bincount(at, sample_weight, minlength=self.bins)
        weights = labels if sample_weight is None else labels * sample_weight
        self.shares = (np.bincount(at, weights, minlength=self.bins) + 0.5) / (counts + 1)

    def predict(self, features: np.ndarray) -> np.ndarray:
        return np.maximum(self.shares[np.searchsorted(self.edges, np.nan_to_num(features[:, 0]))], self.least)


class SavedShares(Shares):
    """Kept in a format of its own; answers for both classes."""

    def predict(self, features: np.ndarray) -> np.ndarray:
        positive = super().predict(features)
        return np.column_stack([1 - positive, positive])

    def save(self) -> bytes:
        return json.dumps([self.bins, self.least, self.edges.tolist(), self.shares.tolist()]).encode()

    @classmethod
    def load(cls, content: bytes) -> "SavedShares":
        bins, least, edges, shares = json.loads(content)
        loaded = cls(bins, least)
        loaded.edges, loaded.shares = np.array(edges), np.array(shares)
        return loaded


class Curious(Shares):
    """Asks for everything that can be asked for."""

    def fit(  # type: ignore[override]
        self, features, labels, *, sample_weight, categorical_positions, seed, valid_features=None, valid_labels=None
    ) -> None:
        given = {"rows": len(labels), "weight": sample_weight, "positions": categorical_positions, "seed": seed}
        SEEN.append(given | {"valid": None if valid_labels is None else (valid_features.shape, set(valid_labels))})
        super().fit(features, labels)


class Stops(Shares):
    """Finds in a trial how many bins are best, and leaves that."""

    found: Any = 5

    def fit(self, features, labels, *, rounds=None) -> None:  # type: ignore[override]
        self.rounds_ = self.found if rounds is None else rounds
        super().fit(features, labels)


class StopsNowhere(Stops):
    found = 0


class StopsByWord(Stops):
    found = "soon"


class StopsAlone(Shares):
    """Leaves rounds that its fit would not take."""

    def fit(self, features, labels) -> None:
        self.rounds_ = 5
        super().fit(features, labels)


class Forgetful(SavedShares):
    def save(self) -> bytes:
        return json.dumps([self.bins, self.least, self.edges.tolist(), (self.shares / 2).tolist()]).encode()


class Wordy(SavedShares):
    def save(self) -> str:  # type: ignore[override]
        return "text"


class SavesOnly(Shares):
    def save(self) -> bytes:
        return b""


class PlainLoad(SavedShares):
    def load(self, content: bytes) -> "PlainLoad":  # type: ignore[override]
        return self


class NoPredict:
    def fit(self, features: np.ndarray, labels: np.ndarray) -> None:
        """Learn nothing."""


class Greedy(Shares):
    def fit(self, features, labels, table) -> None:  # type: ignore[override]
        """Asks for what is not given."""


class Bare(Shares):
    def fit(self, features, labels, valid_features) -> None:  # type: ignore[override]
        """Has no default for the final fit."""


class Narrow(Shares):
    def fit(self, features) -> None:  # type: ignore[override]
        """Takes no labels."""


class Needs(Shares):
    def __init__(self, depth: int) -> None:
        super().__init__()


class Breaks(Shares):
    def fit(self, features: np.ndarray, labels: np.ndarray) -> None:  # type: ignore[override]
        raise KeyError("wind")


class Odd(Shares):
    """Answers what it was told to."""

    def __init__(self, answer: str = "nan") -> None:
        super().__init__()
        self.answer = answer

    def predict(self, features: np.ndarray) -> Any:
        rows = len(features)
        answers: dict[str, Any] = {
            "nan": np.full(rows, np.nan),
            "above": np.full(rows, 1.5),
            "below": np.full(rows, -0.1),
            "column": np.full((rows, 1), 0.5),
            "three": np.full((rows, 3), 0.3),
            "short": np.full(1, 0.5),
            "words": ["late"] * rows,
            "nothing": None,
        }
        return answers[self.answer]


class Mean:
    """Answers a number: the mean label of the rows, by bins of the first column."""

    def __init__(self, answer: str = "mean") -> None:
        self.answer = answer

    def fit(self, features: Any, labels: Any, sample_weight: Any = None) -> None:
        SEEN.append({"kind": labels.dtype.kind})
        self.edges = np.quantile(features[:, 0], [0.25, 0.5, 0.75])
        at = np.searchsorted(self.edges, features[:, 0])
        self.means = np.array(
            [
                np.average(labels[at == one], weights=None if sample_weight is None else sample_weight[at == one])
                for one in range(4)
            ]
        )

    def predict(self, features: Any) -> Any:
        answers = self.means[np.searchsorted(self.edges, features[:, 0])]
        return {
            "mean": answers,
            "column": answers[:, None],
            "nan": answers * np.nan,
            "two": np.column_stack([answers, answers]),
        }[self.answer]


class ClassShares:
    """Answers a probability for each of several classes: their shares by bins of the first column."""

    def __init__(self, answer: str = "shares") -> None:
        self.answer = answer

    def fit(self, features: Any, labels: Any, classes: list[str], sample_weight: Any = None) -> None:
        SEEN.append({"kind": labels.dtype.kind, "classes": classes, "labels": sorted(set(labels.tolist()))})
        self.edges = np.quantile(features[:, 0], np.linspace(0.1, 0.9, 9))
        at = np.searchsorted(self.edges, features[:, 0])
        counts = np.ones((10, len(classes)))
        np.add.at(counts, (at, labels), 1.0 if sample_weight is None else sample_weight)
        self.shares = counts / counts.sum(axis=1, keepdims=True)

    def predict(self, features: Any) -> Any:
        answers = self.shares[np.searchsorted(self.edges, features[:, 0])]
        return {
            "shares": answers,
            "first": answers[:, 0],
            "fewer": answers[:, :2] / answers[:, :2].sum(axis=1, keepdims=True),
            "doubled": answers * 2,
        }[self.answer]
