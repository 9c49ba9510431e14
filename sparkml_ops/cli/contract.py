"""`sparkml-ops contract`: what the tables promise, in a form that other tools read."""

from pathlib import Path
from typing import Annotated

import typer

from sparkml_ops.cli.options import Json, UseCaseName, load, open_both
from sparkml_ops.cli.output import format_table, print_result
from sparkml_ops.errors import ConfigError

app = typer.Typer(
    help="What the tables promise, as Open Data Contract Standard v3 YAML.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def export(
    context: typer.Context,
    use_case: UseCaseName,
    *,
    tables: Annotated[
        bool, typer.Option("--tables", help="Every table of the lake as it is, not only what the sources declare.")
    ] = False,
    predictions: Annotated[
        bool, typer.Option("--predictions", help="What predictions_current promises to those who read it.")
    ] = False,
) -> int:
    """Print the contract of the clean tables, or with --tables of every table that there is, or of the published predictions.

    Examples:
        sparkml-ops contract export flights > contracts/flights.odcs.yaml

        sparkml-ops contract export flights --tables

        sparkml-ops contract export flights --predictions > contracts/predictions.odcs.yaml
    """
    from sparkml_ops.config.odcs import TableColumn, list_columns, write_contract

    if tables and predictions:
        raise ConfigError("expected --tables or --predictions, found both: --tables has the predictions too")
    if not tables and not predictions:
        loaded = load(use_case, context.obj)
        declared = {f"clean_{name}": list_columns(source) for name, source in loaded.sources.items()}
        typer.echo(write_contract(loaded, declared), nl=False)
        return 0
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.lake import list_tables, read_table

    found = {
        table: [
            TableColumn(field.name, field.dataType.simpleString(), field.nullable, field.metadata.get("comment"))
            for field in read_table(lake, table).schema
        ]
        for table in (["predictions_current"] if predictions else list_tables(lake))
    }
    typer.echo(write_contract(loaded, found), nl=False)
    return 0


@app.command()
def infer(
    context: typer.Context,
    path: Annotated[str, typer.Argument(help="A file, a folder or a pattern: CSV, JSON lines or Parquet.")],
    name: Annotated[str, typer.Option(help="Name of the source.")] = "my_source",
) -> int:
    """Print a first contract from real files, with what was seen as comments.

    Examples:
        sparkml-ops contract infer "data/landing/orders/*.csv" --name orders
    """
    from sparkml_ops.config.load import load_environment

    environment = load_environment(env=context.obj.env, conf_dir=context.obj.conf_dir)
    from sparkml_ops.ingestion import infer_contract
    from sparkml_ops.lake import open_session

    typer.echo(infer_contract(open_session(environment), path, name=name), nl=False)
    return 0


@app.command()
def diff(
    context: typer.Context,
    old: Annotated[Path, typer.Argument(help="The contract that consumers know, as ODCS YAML.")],
    new: Annotated[Path, typer.Argument(help="The contract that is to come.")],
    *,
    as_json: Json = False,
) -> int:
    """Name what would break a consumer, what might, and what is harmless; exit 1 when something breaks.

    Examples:
        sparkml-ops contract diff contracts/flights.odcs.yaml new.odcs.yaml
    """
    del context
    from sparkml_ops.config.contract_diff import compare_contracts
    from sparkml_ops.config.odcs import read_contract

    contracts = []
    for path in (old, new):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from error
        contracts.append(read_contract(text, file=str(path)))
    changes = compare_contracts(*contracts)
    rows = [(change.effect, change.place, change.what) for change in changes]
    return print_result(
        changes,
        as_json=as_json,
        lines=lambda: format_table(("effect", "where", "change"), rows) if rows else ["No change."],
        exit_code=int(any(change.effect == "breaks" for change in changes)),
    )
