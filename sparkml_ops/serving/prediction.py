"""What the model server answers, without HTTP: one version and one moment for all rows of a request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sparkml_ops.serving.asked_columns import AskedColumn
from sparkml_ops.serving.publication import to_microseconds
from sparkml_ops.serving.requests import BadRequestError, read_body, require_size, suggest_name
from sparkml_ops.serving.rows import ANSWERED, answer_rows, read_columns
from sparkml_ops.serving.values import render_instant

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.serving.champion import Champion
    from sparkml_ops.serving.service import FeatureService

MOST_REASONS = 20
_STATES = ("status", "_timestamp", "_known_at")
_MOST_TOLD = 5  # mistakes in one answer


@dataclass
class _Row:
    """A row on its way to an answer."""

    given: Mapping[str, Any]
    views: tuple[str, ...] = ()
    features: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    error: str | None = None


def predict_request(
    use_case: "UseCase", service: "FeatureService", champion: "Champion", body: bytes
) -> dict[str, Any]:
    """Answer the rows of a request, in their order.

    Args:
        use_case: its entity columns, and how many rows a request may have.
        service: looks features up.
        champion: the version that answers.
        body: `{"rows": […], "explain": 3}`.

    Raises:
        BadRequestError: the request is of another form, or names what the model does not know.
    """
    asked = read_body(body, {"rows": dict}, beside=("explain",))
    explain, given = _read_explain(asked.get("explain", 0)), asked["rows"]
    require_size(len(given), use_case.serving.max_batch, what="rows")
    _check_names(given, list_names(use_case, champion))
    rows = [_open_row(use_case, champion, row) for row in given]
    moment = to_microseconds(service.clock())
    published = _look_up(use_case, service, rows, moment=moment)
    results = _answer(use_case, champion, rows, explain=explain)
    return {
        "model_name": champion.version.name,
        "model_version": champion.version.version,
        "asked_at": render_instant(moment),
        "views": published,
        "results": results,
    }


def list_names(use_case: "UseCase", champion: "Champion") -> list[str]:
    """What a row may bring: entity columns, and columns of the model."""
    columns = (name for column in champion.columns for name in column.given_as)
    return list(dict.fromkeys([*use_case.dataset.entity, *columns]))


def _read_explain(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_REASONS:
        raise BadRequestError(
            422, f"explain: expected a whole number from 0 to {MOST_REASONS}, found {repr(value)[:80]}"
        )
    return value


def _check_names(rows: Sequence[Mapping[str, Any]], known: Sequence[str]) -> None:
    names = set(known)
    unknown = [
        f"row {at}: unknown `{name[:100]}`{suggest_name(name, known)}"
        for at, row in enumerate(rows)
        for name in row
        if name not in names
    ]
    if unknown:
        more = f"; and {len(unknown) - _MOST_TOLD} more" if len(unknown) > _MOST_TOLD else ""
        raise BadRequestError(
            422,
            f"{'; '.join(unknown[:_MOST_TOLD])}{more}. `GET /model` lists what a row may have: nothing was predicted.",
        )


def _open_row(use_case: "UseCase", champion: "Champion", given: Mapping[str, Any]) -> _Row:
    """A row and the views it needs; as in `score` it has a key, and no part of it is null."""
    needed = (column.view for column in champion.columns if column.view and not column.is_given(given))
    row = _Row(given, tuple(dict.fromkeys(needed)))
    entities = {name: view for view in reversed(row.views) for name in use_case.features[view].entity}
    key = use_case.dataset.key_columns()
    mistakes = [
        f"`{name}` is {'null' if name in given else 'lacking'}: it is of the key"
        for name in key
        if given.get(name) is None
    ]
    mistakes += [
        f"`{name}` is lacking: features of {view} are looked up by it"
        for name, view in entities.items()
        if name not in given and name not in key
    ]
    mistakes += [
        f"`{name}`: expected one value, found {repr(given[name])[:80]}"
        for name in use_case.dataset.entity
        if isinstance(given.get(name), list | dict)
    ]
    row.error = "; ".join(mistakes) or None
    return row


def _look_up(use_case: "UseCase", service: "FeatureService", rows: Sequence[_Row], *, moment: int) -> dict[str, Any]:
    """Features for the rows that do not bring them; rows that need the same views are looked up together."""
    groups: dict[tuple[str, ...], list[_Row]] = {}
    for row in rows:
        if row.views and row.error is None:
            groups.setdefault(row.views, []).append(row)
    published: dict[str, Any] = {}
    for group in groups.values():
        published |= _look_up_group(use_case, service, group, moment=moment)
    return published


def _look_up_group(
    use_case: "UseCase", service: "FeatureService", rows: Sequence[_Row], *, moment: int
) -> dict[str, Any]:
    views = rows[0].views
    names = list(dict.fromkeys(name for view in views for name in use_case.features[view].entity))
    try:
        found = service.look_up(views, [{name: row.given[name] for name in names} for row in rows], moment=moment)
    except BadRequestError as error:
        return _look_up_each(use_case, service, rows, error, moment)
    for row, result in zip(rows, found["results"], strict=True):
        for view, told in result["views"].items():
            _take(row, view, told, service.column_types(view))
    return dict(found["views"])


def _look_up_each(
    use_case: "UseCase", service: "FeatureService", rows: Sequence[_Row], error: BadRequestError, moment: int
) -> dict[str, Any]:
    """Rows one by one: a value that is no key is the mistake of its own row alone."""
    is_of_a_row = error.status == 422  # noqa: PLR2004  # 404: a view is not published, for none of them
    if len(rows) == 1 or not is_of_a_row:
        for row in rows:
            row.error = str(error).removeprefix("entity 0 of ")
        return {}
    published: dict[str, Any] = {}
    for row in rows:
        published |= _look_up_group(use_case, service, [row], moment=moment)
    return published


def _take(row: _Row, view: str, told: Mapping[str, Any], types: Mapping[str, Any]) -> None:
    row.states[view] = {name: told[name] for name in _STATES}
    if told["status"] == "outdated":
        row.error = (
            f"features of {view} are outdated since {told['_outdated_since']}, so nothing is known of them: publish again "
            "(`sparkml-ops online publish`), or bring them"
        )
        return
    row.features[view] = {name: to_model_value(types.get(name), value) for name, value in told["features"].items()}


def to_model_value(column_type: Any, value: Any) -> Any:
    """A looked-up value as `score` gives it to the model: decimals as numbers, numbers of single precision with what they lack."""
    if value is None or not isinstance(column_type, str):
        return value
    if column_type == "float":
        import numpy as np

        return float(np.float32(value))
    return float(value) if column_type.startswith("decimal") else value


def _answer(use_case: "UseCase", champion: "Champion", rows: Sequence[_Row], *, explain: int) -> list[dict[str, Any]]:
    whole: list[tuple[_Row, dict[str, Any]]] = []
    for row in rows:
        if row.error is None:
            columns = _read(champion.columns, row)
            whole += [] if columns is None else [(row, columns)]
    answers = answer_rows(champion, [columns for _, columns in whole], explain=explain)
    answered = dict(zip((id(row) for row, _ in whole), answers, strict=True))
    return [_tell(use_case, row, answered.get(id(row))) for row in rows]


def _read(columns: Sequence[AskedColumn], row: _Row) -> dict[str, Any] | None:
    try:
        return read_columns(columns, row.given, row.features)
    except ValueError as error:
        row.error = str(error)
        return None


def _tell(use_case: "UseCase", row: _Row, answer: Any) -> dict[str, Any]:
    entity = {name: _echo(row.given[name]) for name in use_case.dataset.entity if name in row.given}
    is_answer = isinstance(answer, dict)
    error = None if is_answer else row.error or str(answer)
    values = answer if is_answer else dict.fromkeys(ANSWERED)
    return {"entity": entity, "error": error, **values, "features": row.states}


def _echo(value: Any) -> Any:
    """What was sent, where an answer can hold it: JSON has no infinity."""
    if isinstance(value, list | dict):
        return None
    return repr(value) if isinstance(value, float) and value - value != 0 else value
