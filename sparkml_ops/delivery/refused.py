"""What a database says to an export, as an error that a person can act on; never with a password in it."""

from sparkml_ops.config.exports import DatabaseExport
from sparkml_ops.databases import Refusal, hide_credentials
from sparkml_ops.errors import ConfigError, ConflictError, ContractError, SetupError, SparkMLOpsError

WAITS_SECONDS = (1.0, 5.0, 15.0)
"""A server that restarts is back within them."""
_NO_RIGHT, _NO_UNIQUE_KEY, _LOCKED = "42501", "42P10", "55P03"
_AS_IT_WAS = "The target is as it was."


def tell_refusal(refusal: Refusal, export: DatabaseExport, name: str) -> SparkMLOpsError:
    """The error for what a database refuses.

    Args:
        refusal: what it said.
        export: the export.
        name: its name.
    """
    said = f"export {name}: the database at {hide_credentials(export.url, secret_of(export))}"
    keys, reason, state = f"exports.{name}", refusal.reason, refusal.state
    kind: type[SparkMLOpsError] = ContractError
    told = f"cannot take the rows: {reason}. {_AS_IT_WAS}"
    if refusal.passes:
        kind, told = (
            SetupError,
            (
                f"cannot be reached: {reason}. It was tried {len(WAITS_SECONDS) + 1} times. Check `{keys}.url` and that the server is up; then "
                f"run again. {_AS_IT_WAS}"
            ),
        )
    elif state.startswith("28"):
        kind, told = (
            SetupError,
            f"refuses the user: {reason}. Check `{keys}.user`, `{keys}.password` and the variables in them.",
        )
    elif state == _NO_RIGHT:
        kind, told = (
            SetupError,
            (
                f"does not give the right to it: {reason}. The user needs CREATE in the schema, and SELECT, INSERT, UPDATE and DELETE on "
                f"{export.table} and on sparkml_ops_exports beside it. {_AS_IT_WAS}"
            ),
        )
    elif state == _LOCKED:
        kind, told = (
            ConflictError,
            (f"holds {export.table} for somebody else: {reason}. {_AS_IT_WAS} Run again when they are done."),
        )
    elif state == _NO_UNIQUE_KEY:
        kind, told = (
            ConfigError,
            (
                f"has no primary key, and no unique constraint, on the columns of {export.table} that name a decision: {reason}. Add one, or "
                "choose a table that is not there: it is made."
            ),
        )
    elif state[:2] in {"3D", "3F", "42"}:
        kind, told = (
            ConfigError,
            (
                f"refuses it: {reason}. Check `{keys}.url` and `{keys}.table`; a schema is not made, a table is. {_AS_IT_WAS}"
            ),
        )
    return kind(f"{said} {told}")


def secret_of(export: DatabaseExport) -> str:
    """The password, for taking it out of texts."""
    return export.password.get_secret_value() if export.password else ""
