"""The verbs that look at something, or write files for a person to edit."""

from pathlib import Path
from typing import Annotated

import typer

from sparkml_ops.cli.options import Json, UseCaseName, load, open_both
from sparkml_ops.cli.output import format_table, print_result
from sparkml_ops.errors import ConfigError

_DEFAULT_LIMIT = 100  # what a terminal can show; --limit says otherwise


def validate(context: typer.Context, use_case: UseCaseName, *, as_json: Json = False) -> int:
    """Check a use case's file: all mistakes at once, before Spark starts.

    Examples:
        sparkml-ops validate flights

        sparkml-ops --env cluster validate flights
    """
    loaded = load(use_case, context.obj)
    from sparkml_ops.config.use_case import hash_config

    result = {"use_case": loaded.name, "environment": loaded.environment.name, "config_hash": hash_config(loaded)}
    parts = (
        f"{len(loaded.sources)} sources, {len(loaded.features)} feature views, {len(loaded.feature_columns())} features"
    )
    return print_result(
        result,
        as_json=as_json,
        lines=lambda: [f"{loaded.name} is right: {parts}. Environment {loaded.environment.name}."],
    )


def runs(
    context: typer.Context,
    use_case: UseCaseName,
    step: Annotated[str | None, typer.Option(help="Only this step.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 20,
    *,
    as_json: Json = False,
) -> int:
    """Show the run ledger, newest first.

    Examples:
        sparkml-ops runs flights

        sparkml-ops runs flights --step train --json
    """
    _, lake = open_both(use_case, context.obj)
    from pyspark.sql import functions as F

    from sparkml_ops.lake import read_table

    ledger = read_table(lake, "runs").orderBy(F.desc("ended_at"))
    found = [
        row.asDict(recursive=True)
        for row in (ledger.where(F.col("step") == step) if step else ledger).limit(limit).collect()
    ]
    columns = ("started_at", "run_id", "step", "status", "duration_seconds", "outputs", "error")
    rows = [[_brief(row, column) for column in columns] for row in found]
    return print_result(found, as_json=as_json, lines=lambda: format_table(columns, rows))


def _brief(row: dict[str, object], column: str) -> object:
    value = row[column]
    if column == "outputs" and isinstance(value, list):
        return " ".join(f"{use['table']}@v{use['version']}" for use in value)
    return str(value)[:80] if column == "error" and value else value


def sql(
    context: typer.Context,
    use_case: UseCaseName,
    query: Annotated[str, typer.Argument(help="One SELECT; tables go by their plain names.")],
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Rows to show.")] = _DEFAULT_LIMIT,
    *,
    as_json: Json = False,
) -> int:
    """Run one SELECT over the use case's tables.

    Examples:
        sparkml-ops sql flights "SELECT * FROM predictions_current LIMIT 5"

        sparkml-ops sql flights "SELECT step, status, duration_seconds FROM runs ORDER BY ended_at" --json
    """
    _, lake = open_both(use_case, context.obj)
    from pyspark.errors import PySparkException

    from sparkml_ops.lake import query_tables

    try:
        frame, _ = query_tables(lake, query)
        found = frame.limit(limit + 1).collect()
    except PySparkException as error:
        raise ConfigError(f"Spark refuses this query: {str(error).splitlines()[0]}") from error
    rows = [list(row) for row in found[:limit]]
    cut = [f"… cut at {limit} rows; --limit shows more"] if len(found) > limit else []
    result = {"columns": frame.columns, "rows": rows, "is_cut": bool(cut)}
    return print_result(result, as_json=as_json, lines=lambda: [*format_table(frame.columns, rows), *cut])


def schema() -> int:
    """Print the JSON schema of a use case's file, for editors.

    Examples:
        sparkml-ops schema > conf/use_case.schema.json
    """
    import json

    from sparkml_ops.config.schema import use_case_schema

    typer.echo(json.dumps(use_case_schema(), indent=2))
    return 0


def doctor(context: typer.Context, *, as_json: Json = False) -> int:
    """Look for what is missing or broken on this machine; exit 3 when something is.

    Examples:
        sparkml-ops doctor
    """
    from sparkml_ops.cli.doctor import examine

    findings = examine(context.obj)
    is_broken = any(not finding.is_well for finding in findings)
    rows = [("ok" if f.is_well else "BROKEN", f.what, f.found) for f in findings]
    advice = [f"  {f.what}: {f.advice}" for f in findings if not f.is_well]
    return print_result(
        findings,
        as_json=as_json,
        lines=lambda: [*format_table(("", "what", "found"), rows), *advice],
        exit_code=3 * is_broken,
    )


def init(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the new use case.", metavar="NAME")],
    folder: Annotated[Path, typer.Option(help="The project's folder.")] = Path(),
    *,
    as_json: Json = False,
) -> int:
    """Write a new use case that runs as it is, with a small data set of its own.

    Examples:
        sparkml-ops init returns && sparkml-ops run returns
    """
    from sparkml_ops.config.template import render_use_case

    files = render_use_case(name)
    own = [path for path in files if path.parts[0] != "conf" or path.stem == name]
    taken = [str(path) for path in own if (folder / path).exists()]
    if taken:
        raise ConfigError(f"{', '.join(taken[:5])} is there already; nothing was written. Choose another name.")
    written = [path for path in files if not (folder / path).exists()]
    for path in written:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(files[path])
    lines = [*(f"wrote {folder / path}" for path in written), f"next: sparkml-ops run {name}"]
    del context
    return print_result([str(folder / path) for path in written], as_json=as_json, lines=lambda: lines)
