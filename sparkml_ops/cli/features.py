"""`sparkml-ops features`: build the tables of the feature views, and find out what there is.

`sparkml-ops features flights` builds, as it always did: what is no verb of this group is an argument of `build`.
"""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sparkml_ops.cli.options import Json, RunId, UseCaseName, load, open_both
from sparkml_ops.cli.output import format_table, print_result

_HELP_OPTIONS = ["-h", "--help"]


class _BuildUnlessNamed(TyperGroup):
    """A group whose verb may be left out. Typer has no other place to say so than a class."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in _HELP_OPTIONS:
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
    view: Annotated[list[str] | None, typer.Option("--view", help="Only this view; repeatable.")] = None,
    run_id: RunId = None,
    *,
    as_json: Json = False,
) -> int:
    """Build the tables of the feature views. `build` may be left out.

    Examples:
        sparkml-ops features flights

        sparkml-ops features build flights --view origin_weather
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.features import build_features

    result = build_features(loaded, lake, views=view or None, run_id=run_id)
    rows = [(name, c.status, c.rows, f"{c.table}@v{c.version}") for name, c in result.views.items()]
    return print_result(result, as_json=as_json, lines=lambda: format_table(("view", "status", "rows", "table"), rows))


# Verbs that build, plan or fill the tables stand above; those that look at them stand below.


@app.command("list")
def list_views(context: typer.Context, use_case: UseCaseName, *, as_json: Json = False) -> int:
    """List the feature views.

    Examples:
        sparkml-ops features list flights
    """
    loaded = load(use_case, context.obj)
    found = [
        {
            "view": name,
            "entity": view.entity,
            "columns": view.column_names(),
            "owner": view.owner or loaded.owner or None,
            "description": view.description,
        }
        for name, view in loaded.features.items()
    ]
    columns = ("view", "entity", "columns", "owner", "description")
    rows = [
        (name, ", ".join(view.entity), len(view.column_names()), view.owner or loaded.owner or None, view.description)
        for name, view in loaded.features.items()
    ]
    return print_result(found, as_json=as_json, lines=lambda: format_table(columns, rows))
