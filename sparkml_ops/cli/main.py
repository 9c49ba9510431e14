"""Start, end, and exit codes."""

import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

from sparkml_ops.cli.output import print_failure
from sparkml_ops.errors import SetupError, SparkMLOpsError

INTERRUPTED, TERMINATED = 130, 143


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 a check or gate said no, 2 usage, 3 environment, 4 conflict."""
    from sparkml_ops.cli.app import app

    given = list(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, _end_on_signal)
    as_json = "--json" in given
    try:
        outcome = app(given, standalone_mode=False, prog_name="sparkml-ops")
    except SparkMLOpsError as error:
        code = _fail(error, as_json=as_json, debug="--debug" in given)
    except KeyboardInterrupt:
        print_failure(
            "interrupted: what was done before stands; run again to go on from there", INTERRUPTED, as_json=as_json
        )
        code = INTERRUPTED
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except Exception as error:  # noqa: BLE001  # the last line of defence
        code = _fail_unexpected(error, as_json=as_json)
    else:
        code = outcome if isinstance(outcome, int) else 0
    _exit(code)


def run_job(verb: str, arguments: Sequence[str]) -> NoReturn:
    """Run one verb for an entry in jobs/: the options that stand before a verb may stand anywhere."""
    from sparkml_ops.cli.app import SHARED_OPTIONS

    before: list[str] = []
    after = list(arguments)
    for option, takes_value in SHARED_OPTIONS.items():
        while option in after:
            at = after.index(option)
            before += after[at : at + 1 + takes_value]
            del after[at : at + 1 + takes_value]
    main([*before, verb, *after])


def _fail(error: SparkMLOpsError, *, as_json: bool, debug: bool) -> int:
    notes = getattr(error, "__notes__", [])
    print_failure("\n".join([str(error), *notes]), error.exit_code, as_json=as_json)
    if debug:
        traceback.print_exception(error)
    return error.exit_code


def _fail_unexpected(error: Exception, *, as_json: bool) -> int:
    """Usage errors of the command line are click's; anything else is a bug of ours, or an environment that gave way."""
    import typer

    if isinstance(error, typer.Abort):
        return INTERRUPTED
    if isinstance(error, _usage_error()):
        print_failure(_describe_usage(error), error.exit_code, as_json=as_json)
        return int(error.exit_code)
    traceback.print_exception(error)
    print_failure(
        f"unexpected {type(error).__name__}: the traceback is on stderr", SetupError.exit_code, as_json=as_json
    )
    return SetupError.exit_code


def _describe_usage(error: Any) -> str:
    """What is wrong, and whose help tells what would be right."""
    message = error.format_message()
    end = "" if message[-1:] in tuple(".?!") else "."
    context = getattr(error, "ctx", None)
    return f"{message}{end} See `{context.command_path if context else 'sparkml-ops'} --help`."


def _usage_error() -> Any:
    """The parent of all usage errors; typer carries a click of its own and does not export it."""
    import typer

    return next(parent for parent in typer.BadParameter.__mro__ if parent.__name__ == "ClickException")


def _end_on_signal(number: int, frame: FrameType | None) -> NoReturn:
    """End as after Ctrl-C, so that leases are freed and the ledger hears of it."""
    del number, frame
    raise SystemExit(TERMINATED)


def _exit(code: int) -> NoReturn:
    sys.stdout.flush()
    logging.shutdown()
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        _stop_spark()
    sys.exit(code)


def _stop_spark() -> None:
    """Under spark-submit the JVM waits for its context to end."""
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    if session is not None:
        session.stop()
