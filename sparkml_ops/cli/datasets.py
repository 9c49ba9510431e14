"""`sparkml-ops datasets`: the versions of the training set, what they hold, and their rows again."""

from typing import TYPE_CHECKING, Annotated

import typer

from sparkml_ops.cli.dataset_lines import describe_diff, describe_version, to_dict
from sparkml_ops.cli.options import Json, UseCaseName, open_both
from sparkml_ops.cli.output import format_table, print_result
from sparkml_ops.errors import ConfigError

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.features import ExportResult

app = typer.Typer(
    help="Versions of the training set: look at them, compare them, make them again, take them away as files.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Version = Annotated[
    str, typer.Argument(help="Name of a version, a beginning of it that no other has, or latest.", metavar="VERSION")
]
Form = Annotated[str, typer.Option("--format", help="parquet or csv.")]
Replace = Annotated[bool, typer.Option("--replace", help="Take the place of an earlier export.")]
_FORMATS = ("parquet", "csv")


@app.command("list")
def list_versions(context: typer.Context, use_case: UseCaseName, *, as_json: Json = False) -> int:
    """List the versions of the training set, newest first.

    Examples:
        sparkml-ops datasets list flights
    """
    _, lake = open_both(use_case, context.obj)
    from sparkml_ops.features import list_training_sets

    found = list_training_sets(lake)[::-1]
    columns = ("version", "created", "train", "valid", "test", "positives", "immature", "left out", "definition")
    rows = [
        (
            one.version,
            one.created_at,
            *(one.rows.get(part, 0) for part in ("train", "valid", "test")),
            sum(one.positives.values()) if one.positives else None,
            f"{one.immature_share:.1%}",
            sum(one.left_out.values()),
            one.definition_hash,
        )
        for one in found
    ]
    return print_result(
        [to_dict(one) for one in found],
        as_json=as_json,
        lines=lambda: format_table(columns, rows) if rows else ["There is no training set yet."],
    )


@app.command()
def show(context: typer.Context, use_case: UseCaseName, version: Version = "latest", *, as_json: Json = False) -> int:
    """Show what a version was made of, and what came out.

    Examples:
        sparkml-ops datasets show flights

        sparkml-ops datasets show flights ts-3f --json
    """
    _, lake = open_both(use_case, context.obj)
    from sparkml_ops.features import choose_training_set

    found = choose_training_set(lake, version)
    return print_result(to_dict(found), as_json=as_json, lines=lambda: describe_version(found))


@app.command()
def diff(  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    old: Annotated[str, typer.Argument(help="A version, as for show.", metavar="OLD")],
    new: Annotated[str, typer.Argument(help="Another.", metavar="NEW")] = "latest",
    *,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show personal data in the examples.")] = False,
    as_json: Json = False,
) -> int:
    """Say what differs between two versions: definition, inputs, columns, parts, and rows by their key.

    In the examples, values of columns that a contract declares to be personal data (`pii: true`) are withheld.

    Examples:
        sparkml-ops datasets diff flights ts-3f latest
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.features import choose_training_set, compare_training_sets

    versions = [choose_training_set(lake, named).version for named in (old, new)]
    withhold = frozenset() if reveal else _personal_columns(loaded)
    found = compare_training_sets(lake, *versions, withhold=withhold)
    return print_result(found, as_json=as_json, lines=lambda: describe_diff(found))


@app.command()
def recreate(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    version: Version,
    to: Annotated[str | None, typer.Option(help="Write the rows to this folder as well.")] = None,
    form: Form = "parquet",
    *,
    replace: Replace = False,
    as_json: Json = False,
) -> int:
    """Make the rows of a version again from its inputs, and prove that they are the same; exit 1 when something is gone.

    Examples:
        sparkml-ops datasets recreate flights ts-3f

        sparkml-ops datasets recreate flights ts-3f --to /tmp/rows --format csv
    """
    _require_format(form)
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.features import choose_training_set, recreate_into, recreate_training_set

    made = choose_training_set(lake, version)
    if to is not None:
        result = recreate_into(loaded, lake, made.version, to=to, form=form, replace=replace)  # type: ignore[arg-type]  # required above
        return _tell_export(result, "made again", as_json=as_json)
    recreate_training_set(loaded, lake, made.version)
    rows = sum(made.rows.values())
    return print_result(
        {"version": made.version, "rows": rows, "content_hash": made.content_hash},
        as_json=as_json,
        lines=lambda: [f"{made.version}: made again, the same {rows} rows (hash {made.content_hash})"],
    )


@app.command()
def export(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    version: Version,
    to: Annotated[str, typer.Option(help="The folder to write, a path or a storage URL that all workers reach.")],
    form: Form = "parquet",
    *,
    replace: Replace = False,
    as_json: Json = False,
) -> int:
    """Write the rows of a version to a folder, with a manifest: it is there complete, or not at all.

    Examples:
        sparkml-ops datasets export flights latest --to exports/flights

        sparkml-ops datasets export flights ts-3f --to exports/flights.csv --format csv --replace
    """
    _require_format(form)
    _, lake = open_both(use_case, context.obj)
    from sparkml_ops.features import choose_training_set, export_training_set

    chosen = choose_training_set(lake, version).version
    result = export_training_set(lake, chosen, to=to, form=form, replace=replace)  # type: ignore[arg-type]  # required above
    return _tell_export(result, "written", as_json=as_json)


def _tell_export(result: "ExportResult", what: str, *, as_json: bool) -> int:
    line = (
        f"{result.version}: {what}, {result.rows} rows as {result.form} in {result.path} (hash {result.content_hash})"
    )
    return print_result(result, as_json=as_json, lines=lambda: [line])


def _personal_columns(use_case: "UseCase") -> frozenset[str]:
    return frozenset().union(*(source.personal_columns() for source in use_case.sources.values()))


def _require_format(form: str) -> None:
    if form not in _FORMATS:
        raise ConfigError(f"--format {form}: expected one of {', '.join(_FORMATS)}")
