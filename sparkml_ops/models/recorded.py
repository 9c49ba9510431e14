"""What is recorded of the trainings of a model: facts of its versions' metadata, read without their estimators. And their order."""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sparkml_ops.config.tasks import HIGHER_IS_BETTER
from sparkml_ops.errors import ModelError
from sparkml_ops.models.package import PACKAGE_FILE
from sparkml_ops.models.registry import ModelVersion, list_versions, load_version
from sparkml_ops.models.tracking import Tracking
from sparkml_ops.models.version_files import PACKAGE_PATH, fetch_files

MOST_LISTED = 50
"""So many of the newest versions are read when nobody asks for another number: each is a file of some hundred kilobytes."""
Order = Literal["metric", "time"]


@dataclass(frozen=True)
class RecordedFigure:
    """A figure on the part test, with its 95 % interval; None where it was not defined."""

    value: float | None
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class RecordedTraining:
    """What is known of the training of one version; what was not recorded is None or empty.

    Attributes:
        version: The version.
        trained_at: When, ISO 8601 in UTC.
        training_set: The version of the training set.
        content_hash: Hash of its rows: only figures of the same rows can be ranked.
        definition_hash: Hash of its definition.
        rows: Its rows by part.
        estimator: As the YAML names it.
        trials: Trials of the search.
        failed: How many of them failed.
        metric: What was optimised.
        figures: On the part test, by metric.
        aliases: Aliases that point to the version.
        config_hash: Hash of the configuration.
        code_version: Version of the code.
        features: The columns that it asks for.
        left_out: Columns that it was not given, and why.
        params: Parameters, and `rounds`.
        period: First and last moment of each part.
        recipe: The sections of the YAML that training read.
        environment: Python, platform and hash of what was installed.
        rank: Among trainings that were judged on the same rows as the newest by the same metric, 1 is best; None of all others.
        note: Why there is no rank, or what could not be read.
    """

    version: int
    trained_at: str | None = None
    training_set: str = ""
    content_hash: str | None = None
    definition_hash: str | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    estimator: str | None = None
    trials: int | None = None
    failed: int | None = None
    metric: str | None = None
    figures: Mapping[str, RecordedFigure] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    config_hash: str = ""
    code_version: str = ""
    features: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    period: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict)
    rank: int | None = None
    note: str = ""

    @property
    def figure(self) -> RecordedFigure:
        """Of the metric that was optimised."""
        return self.figures.get(self.metric or "", RecordedFigure(None))


def list_trainings(
    tracking: Tracking, name: str, *, last: int = MOST_LISTED, order: Order = "metric"
) -> list[RecordedTraining]:
    """The newest trainings of a model, ranked; none when the model is not there.

    A version whose files are damaged or gone is listed with what the registry itself knows, and a note.

    Args:
        tracking: Where the registry is.
        name: The model.
        last: How many of the newest versions are read.
        order: metric: the best first, then those that cannot be held against it; time: the newest first.
    """
    newest = list_versions(tracking, name)[-last:]
    return order_trainings([_read_or_tell(tracking, version) for version in newest], order=order)


def read_training(tracking: Tracking, version: ModelVersion) -> RecordedTraining:
    """What is recorded of the training of one version.

    Raises:
        ModelError: Its file is gone, or is not the one that was registered.
    """
    columns, metadata = _read_package(tracking, version)
    return describe_recorded(version, metadata, features=columns)


def describe_recorded(
    version: ModelVersion, metadata: Mapping[str, Any], *, features: Sequence[str]
) -> RecordedTraining:
    """The facts of a version's metadata; of an earlier release's, those that it has."""
    rows, search = metadata.get("training_set") or {}, metadata.get("search") or {}
    figures = (metadata.get("figures") or {}).get("candidate") or {}
    rounds = {"rounds": metadata["rounds"]} if "rounds" in metadata else {}
    return replace(
        _describe_registered(version),
        trained_at=metadata.get("trained_at") or _tell_created(version),
        content_hash=rows.get("content_hash"),
        definition_hash=rows.get("definition_hash"),
        rows=rows.get("rows") or {},
        estimator=metadata.get("estimator"),
        trials=search.get("trials"),
        failed=search.get("failed"),
        metric=metadata.get("metric"),
        figures={
            name: RecordedFigure(one.get("value"), one.get("lower"), one.get("upper")) for name, one in figures.items()
        },
        features=tuple(features),
        left_out=metadata.get("left_out") or {},
        params={**(metadata.get("params") or {}), **rounds},
        period=metadata.get("period") or {},
        recipe=metadata.get("recipe") or {},
        environment=metadata.get("environment") or {},
    )


def order_trainings(trainings: Sequence[RecordedTraining], *, order: Order = "metric") -> list[RecordedTraining]:
    """Rank those that were judged on the same rows as the newest that was judged at all, and say of all others why they have no rank."""
    newest_first = sorted(trainings, key=lambda one: -one.version)
    judged = next((one for one in newest_first if one.content_hash and one.figure.value is not None), None)
    told = list(_rank(newest_first, judged))
    if order == "time" or judged is None:
        return told
    return sorted(told, key=lambda one: (one.rank is None, one.rank or 0, -one.version))


def _rank(trainings: Sequence[RecordedTraining], judged: RecordedTraining | None) -> Iterator[RecordedTraining]:
    """Equal figures share a rank."""
    notes = {one.version: _tell_apart(one, judged) for one in trainings}
    values = [one.figure.value for one in trainings if not notes[one.version] and one.figure.value is not None]
    for one in trainings:
        value = one.figure.value
        if notes[one.version] or value is None:
            yield replace(one, note=notes[one.version])
            continue
        better = [v for v in values if (v > value if one.metric in HIGHER_IS_BETTER else v < value)]
        yield replace(one, rank=len(better) + 1)


def _tell_apart(one: RecordedTraining, judged: RecordedTraining | None) -> str:
    """Why a training cannot be held against the newest by recorded figures; nothing where it can."""
    if one.note:
        return one.note
    if judged is None or one.figure.value is None:
        return "no figure is recorded"
    if one.content_hash != judged.content_hash:
        return f"not comparable: judged on other rows than version {judged.version}"
    return "" if one.metric == judged.metric else f"not comparable: another metric than {judged.metric}"


def _read_or_tell(tracking: Tracking, version: ModelVersion) -> RecordedTraining:
    try:
        return read_training(tracking, version)
    except ModelError as error:
        return replace(_describe_registered(version), note=str(error))


def _read_package(tracking: Tracking, version: ModelVersion) -> tuple[list[str], Mapping[str, Any]]:
    """Feature columns and metadata; of an earlier release, which has no hash of each file, the whole package is read."""
    expected = version.files.get(PACKAGE_FILE)
    if expected is None:
        model = load_version(tracking, version)
        return model.feature_columns, model.metadata
    what = f"Model {version.name} version {version.version}"
    uri = f"{version.source.rstrip('/')}/{PACKAGE_PATH}/{PACKAGE_FILE}"
    with tempfile.TemporaryDirectory() as scratch:
        content = fetch_files(tracking, uri, into=scratch, what=what).read_bytes()
    if hashlib.sha256(content).hexdigest() != expected:
        raise ModelError(f"{what}: {uri} is not the file that was registered. Restore it, or train anew.")
    plain = json.loads(content)
    return list(plain["feature_columns"]), plain["metadata"]


def _describe_registered(version: ModelVersion) -> RecordedTraining:
    """What the registry itself knows."""
    return RecordedTraining(
        version=version.version,
        trained_at=_tell_created(version),
        training_set=version.training_set_version,
        aliases=version.aliases,
        config_hash=version.config_hash,
        code_version=version.code_version,
    )


def _tell_created(version: ModelVersion) -> str:
    return version.created_at.isoformat(timespec="seconds")
