"""`sparkml-ops features`: build the tables of the feature views, and find out what there is.

`sparkml-ops features flights` builds, as it always did: what is no verb of this group is an argument of `build`.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from sparkml_ops.cli.feature_lines import describe_view, describe_views
from sparkml_ops.cli.options import Json, RunId, UseCaseName, load, open_both, read_instant
from sparkml_ops.cli.output import format_table, print_result

if TYPE_CHECKING:
    from sparkml_ops.features import FeaturesResult

Views = Annotated[list[str] | None, typer.Option("--view", help="Only this view; repeatable.")]
Full = Annotated[bool, typer.Option("--full", help="Build anew, whatever is there.")]
_HELP_OPTIONS = ["-h", "--help"]


class _BuildUnlessNamed(TyperGroup):
    """A group whose verb may be left out. Typer has no other place to say so than a class."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        two_words = len(args) > 1 and not any(arg.startswith("-") for arg in args[:2])  # `build` takes one
        if args and args[0] not in self.commands and args[0] not in _HELP_OPTIONS and not two_words:
            args = ["build", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_BuildUnlessNamed,
    help="Feature views: build their tables, and see what there is. `features USE_CASE` is `features build USE_CASE`.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": _HELP_OPTIONS},
)


@app.command()
def build(
    context: typer.Context,
    use_case: UseCaseName,
    view: Views = None,
    run_id: RunId = None,
    *,
    full: Full = False,
    as_json: Json = False,
) -> int:
    """Bring the tables of the feature views up to date: by the rows that may have changed, or anew. `build` may be left out.

    Examples:
        sparkml-ops features flights

        sparkml-ops features build flights --view origin_weather --full
    """
    loaded, lake = open_both(use_case, context.obj, views=view)
    from sparkml_ops.features import build_features

    result = build_features(loaded, lake, views=view or None, full=full, run_id=run_id)
    return print_result(result, as_json=as_json, lines=lambda: _describe_commits(result))


@app.command()
def plan(
    context: typer.Context,
    use_case: UseCaseName,
    view: Views = None,
    *,
    full: Full = False,
    as_json: Json = False,
) -> int:
    """Show what `features build` would do with the tables as they are: ranges, rows and reasons. Changes nothing.

    Examples:
        sparkml-ops features plan flights
    """
    loaded, lake = open_both(use_case, context.obj, views=view)
    from sparkml_ops.features import plan_features

    plans = plan_features(loaded, lake, views=view or None, full=full)
    columns = ("view", "does", "first", "last", "events", "rows", "slices", "reason")
    rows = [(p.view, p.action, p.first, p.last, p.events, p.rows, p.slices, p.reason) for p in plans]
    return print_result(plans, as_json=as_json, lines=lambda: format_table(columns, rows))


@app.command()
def backfill(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    view: Annotated[str, typer.Argument(help="Name of the view.", metavar="VIEW")],
    since: Annotated[
        datetime,
        typer.Option(
            "--from", parser=read_instant, metavar="INSTANT", help="The first instant; UTC if it has no zone."
        ),
    ],
    until: Annotated[
        datetime,
        typer.Option("--to", parser=read_instant, metavar="INSTANT", help="The first instant after the range."),
    ],
    run_id: RunId = None,
    *,
    as_json: Json = False,
) -> int:
    """Compute the rows of a range of time once more, of all entities, and replace what is there.

    Examples:
        sparkml-ops features backfill flights carrier_delays --from 2013-03-01 --to 2013-04-01
    """
    if until <= since:
        raise typer.BadParameter(
            f"expected an instant after --from, {since.isoformat()}, found {until.isoformat()}", param_hint="'--to'"
        )
    loaded, lake = open_both(use_case, context.obj, views=[view])
    from sparkml_ops.features import backfill_features

    result = backfill_features(loaded, lake, view=view, since=since, until=until, run_id=run_id)
    told = [] if result.views[view].rows else [f"{view} has no row in this range."]
    return print_result(result, as_json=as_json, lines=lambda: [*_describe_commits(result), *told])


def _describe_commits(result: "FeaturesResult") -> list[str]:
    rows = [(name, c.status, c.rows, f"{c.table}@v{c.version}") for name, c in result.views.items()]
    return format_table(("view", "status", "rows", "table"), rows)


# Verbs that build, plan or fill the tables stand above; those that look at them stand below.


@app.command("list")
def list_views(context: typer.Context, use_case: UseCaseName, *, as_json: Json = False) -> int:
    """List the feature views: owner, entity, size, how new the data is, which models learned from it.

    Examples:
        sparkml-ops features list flights
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.catalog import read_views

    found = read_views(loaded, lake)
    return print_result(found, as_json=as_json, lines=lambda: describe_views(found))


@app.command()
def show(
    context: typer.Context,
    use_case: UseCaseName,
    view: Annotated[str, typer.Argument(help="Name of a feature view.", metavar="VIEW")],
    *,
    as_json: Json = False,
) -> int:
    """Tell all about a feature view: its columns, what they hold over time, what they are made of, where they go.

    Figures are of the last builds; with --json also the way of each column from the sources that come in to the models.

    Examples:
        sparkml-ops features show flights carrier_delays

        sparkml-ops features show flights plane --json
    """
    loaded, lake = open_both(use_case, context.obj, views=[view])
    from sparkml_ops.catalog import read_view

    story = read_view(loaded, lake, view)
    return print_result(story, as_json=as_json, lines=lambda: describe_view(story))


@app.command()
def search(
    context: typer.Context,
    use_case: UseCaseName,
    text: Annotated[list[str], typer.Argument(help="Words; all of them must be found.", metavar="TEXT…")],
    *,
    as_json: Json = False,
) -> int:
    """Find feature views and columns by words in names, descriptions, owners and expressions; exit 1 when there is none.

    Examples:
        sparkml-ops features search flights delay airport

        sparkml-ops features search flights p90 --json
    """
    loaded = load(use_case, context.obj)
    from sparkml_ops.config.view_search import search_views, suggest_word

    words = " ".join(text)
    found = search_views(loaded, words)
    if found:
        rows = [(one.view, one.column, ", ".join(one.where), one.text) for one in found]
        return print_result(
            found, as_json=as_json, lines=lambda: format_table(("view", "column", "found in", "what it says"), rows)
        )
    nearest = suggest_word(loaded, words)
    hint = f" Did you mean {nearest}?" if nearest else ""
    return print_result(
        found, as_json=as_json, lines=lambda: [f"Nothing in {loaded.name} says {words!r}.{hint}"], exit_code=1
    )
