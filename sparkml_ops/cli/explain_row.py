"""`sparkml-ops explain-row`: everything that is recorded about one prediction, for an auditor."""

from typing import Annotated

import typer

from sparkml_ops.cli.options import Json, UseCaseName, open_both, read_instant
from sparkml_ops.cli.output import print_result
from sparkml_ops.cli.row_lines import describe_row


def explain_row(  # noqa: PLR0913, PLR0917  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    key: Annotated[
        list[str],
        typer.Argument(
            help="The entity: its values in the order of `dataset.key`, or COLUMN=VALUE each, as a value that begins with - has to be. NULL is a missing value.",
            metavar="KEY...",
        ),
    ],
    batch: Annotated[
        str | None, typer.Option(help="The batch; by default the newest published one that has the entity.")
    ] = None,
    role: Annotated[str | None, typer.Option(help="Where several scored it: champion, challenger or shadow.")] = None,
    version: Annotated[int | None, typer.Option(help="Where several scored it: the model version.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Where the entity has several rows: the moment, ISO 8601; UTC if it has no zone.")
    ] = None,
    *,
    as_json: Json = False,
) -> int:
    """Tell everything that is recorded about one prediction: model, features, files, training set, evidence, who approved.

    Reads records only. What is not recorded, or not there any more, is named at the end.

    Examples:
        sparkml-ops explain-row flights B6-1-JFK-20131201T1500

        sparkml-ops explain-row flights flight_id=B6-1-JFK-20131201T1500 --batch 2013-12 --role challenger --json
    """
    at = None if as_of is None else read_instant(as_of)
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.dossier import explain_row as explain

    result = explain(loaded, lake, key, batch=batch, role=role, version=version, as_of=at)
    return print_result(result, as_json=as_json, lines=lambda: describe_row(result))
