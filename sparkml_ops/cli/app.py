"""The program and its verbs."""

from pathlib import Path
from typing import Annotated

import typer

from sparkml_ops import __version__
from sparkml_ops.cli import (
    aliases,
    audit,
    backtest,
    batches,
    card,
    contract,
    datasets,
    experiments,
    explain_row,
    export,
    features,
    ingest,
    inspect,
    online,
    pipeline,
    quarantine,
    reproduce,
    serve,
    stages,
    tables,
    views,
    wait_for,
)
from sparkml_ops.cli.options import Shared
from sparkml_ops.cli.output import set_up_logging

HELP = """From raw files to predictions that a SQL user can trust.

A use case is one YAML file in conf/. Typical days:

    sparkml-ops validate flights              is the file right?

    sparkml-ops plan flights                  what would run, and why

    sparkml-ops run flights                   do it

    sparkml-ops sql flights "SELECT * FROM predictions_current LIMIT 5"

Exit codes: 0 done · 1 a check or a gate said no · 2 usage or configuration · 3 environment · 4 conflict.
Results go to stdout (--json for machines), logs to stderr.
"""

SHARED_OPTIONS = {
    **dict.fromkeys(("--env", "-e", "--conf-dir", "-c", "--set"), True),
    **dict.fromkeys(("--verbose", "-v", "--quiet", "-q", "--debug"), False),
}
"""Options that stand before the verb, and whether a value follows."""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"sparkml-ops {__version__}")
        raise typer.Exit


@app.callback()
def share_options(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    env: Annotated[
        str | None,
        typer.Option("--env", "-e", envvar="SPARKML_OPS_ENV", help="Overlay in conf/: local, cluster, databricks."),
    ] = None,
    conf_dir: Annotated[
        Path | None, typer.Option("--conf-dir", "-c", envvar="SPARKML_OPS_CONF_DIR", help="The folder with base.yml.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set one value of the configuration; repeatable."),
    ] = None,
    *,
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="More on stderr.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Warnings and errors only.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of users' mistakes too.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=lambda value: _print_version(wanted=value), is_eager=True)
    ] = False,
) -> None:
    """Take the options that every verb has."""
    del debug, version  # main looks for --debug itself, because errors end there
    set_up_logging(verbose=verbose, quiet=quiet)
    context.obj = Shared(env, conf_dir, tuple(overrides or ()))


for verb in (
    pipeline.run,
    pipeline.plan,
    ingest.ingest,
    stages.dataset,
    audit.audit,
    stages.train,
    reproduce.reproduce,
    backtest.backtest,
    stages.promote,
    stages.rollback,
    aliases.shadow,
    aliases.champions,
    card.card,
    stages.score,
    explain_row.explain_row,
    export.export,
    wait_for.wait_for,
    views.views,
    serve.serve,
    stages.monitor,
    stages.report,
    tables.maintain,
    tables.catalog,
    inspect.validate,
    inspect.runs,
    inspect.sql,
    inspect.schema,
    inspect.doctor,
    inspect.init,
):
    app.command()(verb)
app.add_typer(features.app, name="features")
app.add_typer(datasets.app, name="datasets")
app.add_typer(experiments.app, name="experiments")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(batches.app, name="batches")
app.add_typer(contract.app, name="contract")
app.add_typer(online.app, name="online")
