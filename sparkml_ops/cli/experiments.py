"""`sparkml-ops experiments`: the trainings of a use case, and what differs between two of them.

`sparkml-ops experiments flights` lists: what is no verb of this group is an argument of `list`.
"""

from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sparkml_ops.cli.experiment_lines import describe_comparison, describe_trainings
from sparkml_ops.cli.options import Json, UseCaseName, load, open_both, split_version
from sparkml_ops.cli.output import print_result
from sparkml_ops.errors import ConfigError

_HELP_OPTIONS = ["-h", "--help"]
_MOST_LISTED = 50  # as `models.MOST_LISTED`, which is not imported for --help


class Sort(StrEnum):
    """How trainings are ordered."""

    metric = "metric"
    time = "time"


class _ListUnlessNamed(TyperGroup):
    """A group whose verb may be left out. Typer has no other place to say so than a class."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        two_words = len(args) > 1 and not any(arg.startswith("-") for arg in args[:2])  # `list` takes one
        if args and args[0] not in self.commands and args[0] not in _HELP_OPTIONS and not two_words:
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ListUnlessNamed,
    help="Trainings: list them with their figures, and compare two. `experiments USE_CASE` is `experiments list USE_CASE`.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": _HELP_OPTIONS},
)


@app.command("list")
def list_experiments(
    context: typer.Context,
    use_case: UseCaseName,
    sort: Annotated[Sort, typer.Option(help="metric: the best first; time: the newest first.")] = Sort.metric,
    last: Annotated[int, typer.Option(min=1, max=1000, help="How many of the newest versions.")] = _MOST_LISTED,
    *,
    as_json: Json = False,
) -> int:
    """List the trainings that gave a version, with the metric on their test rows. Needs no Spark. `list` may be left out.

    Figures are ranked where they were measured on the same rows of a training set; of all others it says that they cannot be compared.

    Examples:
        sparkml-ops experiments flights

        sparkml-ops experiments list flights --sort time --last 10 --json
    """
    loaded = load(use_case, context.obj)
    from sparkml_ops.models import list_trainings, prepare_tracking

    found = list_trainings(prepare_tracking(loaded.environment), loaded.name, last=last, order=sort.value)
    return print_result(found, as_json=as_json, lines=lambda: describe_trainings(found, loaded.name))


@app.command()
def compare(
    context: typer.Context,
    use_case: UseCaseName,
    old: Annotated[str, typer.Argument(help="A version: its number, an alias, or latest.", metavar="OLD")],
    new: Annotated[str, typer.Argument(help="Another, which is held against it.", metavar="NEW")],
    *,
    score: Annotated[
        bool,
        typer.Option(
            "--score/--no-score", help="Ask both on the same test rows, in Spark; or tell only what is recorded."
        ),
    ] = True,
    as_json: Json = False,
) -> int:
    """Say what differs between two trainings, and whether one is better on the same rows.

    Data, features, parameters, configuration and environment as they were recorded, and the figures side by side. Then both
    are asked on the test rows of the newer one's training set, unless the other was fitted on some of them.

    Examples:
        sparkml-ops experiments compare flights 3 latest

        sparkml-ops experiments compare flights champion 5 --no-score
    """
    asked = [split_version(use_case, text) for text in (old, new)]
    if asked[0] == asked[1]:
        raise ConfigError(f"{old} and {new}: expected two versions, found the same one twice")
    loaded, lake = open_both(use_case, context.obj) if score else (load(use_case, context.obj), None)
    from sparkml_ops.models import find_version, prepare_tracking
    from sparkml_ops.training import compare_trainings

    tracking = prepare_tracking(loaded.environment)
    versions = [find_version(tracking, loaded.name, version=one.version, alias=one.alias) for one in asked]
    if versions[0].version == versions[1].version:
        raise ConfigError(
            f"{old} and {new} are both version {versions[0].version} of {loaded.name}: expected two versions"
        )
    found = compare_trainings(tracking, *versions, lake=lake)
    return print_result(found, as_json=as_json, lines=lambda: describe_comparison(found, loaded.name))
