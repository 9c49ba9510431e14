"""`sparkml-ops experiments`: the trainings of a use case, and what differs between two of them.

`sparkml-ops experiments flights` lists: what is no verb of this group is an argument of `list`.
"""

from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sparkml_ops.cli.experiment_lines import describe_trainings
from sparkml_ops.cli.options import Json, UseCaseName, load
from sparkml_ops.cli.output import print_result

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
