"""Published rows into a table of a database: each version once, whole, or not at all.

Spark's tasks write the rows side by side into a staging table. Then one transaction removes what is published no more, puts in or
updates the rest, and writes the marker that says which version the table has now. Killed anywhere before its commit, the table
is as it was; after it, the marker tells the next export that nothing is left to do.
"""

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sparkml_ops.config.exports import DatabaseExport
from sparkml_ops.databases import FAILURES, Database, Patience, Refusal, attempt, connect, find_refusal, open_dialect
from sparkml_ops.delivery import refused
from sparkml_ops.delivery.marker import Marker, write_marker
from sparkml_ops.delivery.plans import ExportPlan, plan_export
from sparkml_ops.delivery.published import GONE, Published
from sparkml_ops.delivery.rows import COMMENT, describe_shape, lay_for_staging
from sparkml_ops.delivery.target import Target, place_marker
from sparkml_ops.errors import ConfigError, SetupError, TableNotFoundError
from sparkml_ops.lake.jars import POSTGRESQL_DRIVER, require_driver

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.databases import TableName

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DatabaseOrder:
    """What is to be brought where.

    Attributes:
        use_case: whose predictions.
        name: of the export.
        export: where to.
        published: what there is.
        run_id: the run that this belongs to.
        full: bring all rows, whatever the target has.
        dry_run: only tell.
    """

    use_case: "UseCase"
    name: str
    export: DatabaseExport
    published: Published
    run_id: str
    full: bool = False
    dry_run: bool = False

    @property
    def database(self) -> Database:
        """Where the database is."""
        driver = self.export.driver or POSTGRESQL_DRIVER[0]
        return Database(self.export.url, driver, self.export.user or "", refused.secret_of(self.export))


@dataclass(frozen=True)
class Delivered:
    """What was done: rows that were sent, and those that the target changed and removed for them (None of a dry run)."""

    plan: ExportPlan
    rows: int
    changed: int | None
    removed: int | None


def export_to_database(order: DatabaseOrder) -> Delivered:
    """Bring a table of a database to what is published.

    Raises:
        SetupError: the driver is not there, or the database cannot be reached, or refuses the user or the right.
        ConfigError: the table is another one's, has other columns, or cannot be made.
        ContractError: the database cannot take the rows.
        ConflictError: another export has written meanwhile, or somebody else holds the table.
    """
    require_driver(order.published.lake.spark, order.database.driver, place=f"export {order.name}")

    def warn(refusal: Refusal, wait: float) -> None:
        logger.warning("export %s: %s: trying again in %g s", order.name, refusal.reason, wait)

    patience = Patience(
        refused.WAITS_SECONDS, lambda refusal: refused.tell_refusal(refusal, order.export, order.name), warn
    )
    return attempt(lambda: _deliver(order), secret=refused.secret_of(order.export), patience=patience)


def _deliver(order: DatabaseOrder) -> Delivered:
    with connect(order.published.lake.spark, order.database) as connection:
        dialect = open_dialect(order.published.lake.spark, order.database, connection)
        for statement in dialect.session():
            connection.run(statement)
        table = order.export.table_name()
        comment = COMMENT.format(name=order.name, use_case=order.use_case.name)
        columns, keys = order.published.read_rows().schema, order.use_case.dataset.key_columns()
        shape = describe_shape(columns, keys, table=table, comment=comment)
        place = place_marker(table, use_case=order.use_case.name, export=order.name, batch=order.published.batch)
        return _bring(order, Target(connection, dialect, shape, place))


def _bring(order: DatabaseOrder, target: Target) -> Delivered:
    markers = target.read_markers()
    target.require_ours(markers)
    published = order.published
    plan = plan_export(
        markers, version=published.version, table_id=published.table_id, batch=published.batch, full=order.full
    )
    missing = target.list_missing()
    mine = markers.get(target.place.scope)
    if mine is not None and mine.run_id == order.run_id:  # the connection was lost after the commit
        reason = f"v{mine.version} was committed before the connection was lost"
        return Delivered(ExportPlan(plan.mode, reason), mine.row_count, mine.rows_changed, mine.rows_removed)
    if missing and plan.mode == "batch":
        raise ConfigError(
            f"export {order.name}: the table {order.export.table} lacks {', '.join(missing)}. Nothing was written. Export all that is "
            "published first, without --batch: that adds the columns and fills them."
        )
    if missing:
        plan = ExportPlan("whole", f"the target lacks {', '.join(missing)}")
    if plan.mode == "unchanged":
        return Delivered(plan, 0, 0, 0)
    logger.info("export %s: %s, because %s", order.name, plan.mode, plan.reason)
    try:
        return _send(order, target, plan, seen=mine)
    except (TableNotFoundError, *FAILURES) as error:
        if plan.mode != "incremental" or find_refusal(error, refused.secret_of(order.export)) is not None:
            raise
        reason = f"the change feed cannot be read any more ({str(error).strip().splitlines()[0][:200]})"
        logger.info("export %s: whole, because %s", order.name, reason)
        return _send(order, target, ExportPlan("whole", reason), seen=mine)


def _send(order: DatabaseOrder, target: Target, plan: ExportPlan, *, seen: Marker | None) -> Delivered:
    rows = _choose_rows(order, plan, target).persist()
    try:
        count = rows.count()
        if order.dry_run:
            gone = rows.where(GONE).count() if GONE in rows.columns else None
            return Delivered(plan, count, None, gone)
        target.make()
        with target.staging() as staging:
            _write_staging(order, target, rows, staging)
            marker = Marker(order.published.version, order.published.table_id, count, 0, 0, order.run_id)
            changed, removed = _commit(order, target, plan, staging=staging, seen=seen, new=marker)
    finally:
        rows.unpersist()
    return Delivered(plan, count, changed, removed)


def _choose_rows(order: DatabaseOrder, plan: ExportPlan, target: Target) -> "DataFrame":
    if plan.mode == "incremental" and plan.since is not None:
        return order.published.read_changes(plan.since, target.shape.keys)
    return order.published.read_rows()


def _write_staging(order: DatabaseOrder, target: Target, rows: "DataFrame", staging: "TableName") -> None:
    database, export = order.database, order.export
    as_text = target.dialect.stages_instants_as_text
    options = {
        "url": database.url,
        "driver": database.driver,
        "dbtable": target.dialect.name(staging),
        "batchsize": str(export.send_rows),
        "numPartitions": str(export.connections),
        **database.properties(),
    }
    laid = lay_for_staging(rows, target.shape, instants_as_text=as_text)
    laid.write.format("jdbc").options(**options).mode("append").save()


def _commit(
    order: DatabaseOrder,
    target: Target,
    plan: ExportPlan,
    *,
    staging: "TableName",
    seen: Marker | None,
    new: Marker,
) -> tuple[int, int]:
    connection, dialect = target.connection, target.dialect
    newest = order.published.measure()[1]
    has_doubles = _require_all(target, staging, expected=new.row_count)
    with connection.transaction():
        # First the marker: who comes second waits here, and then finds that it has changed.
        write_marker(connection, dialect, target.place, seen=seen, new=new, instants=(newest, datetime.now(UTC)))
        changed, removed = _replace_rows(target, plan, staging, batch=order.published.batch, has_doubles=has_doubles)
        done = replace(new, rows_changed=changed, rows_removed=removed)
        write_marker(connection, dialect, target.place, seen=new, new=done, instants=(newest, datetime.now(UTC)))
    logger.info(
        "export %s: %s has v%d: %d rows changed, %d removed",
        order.name,
        target.place.target,
        new.version,
        changed,
        removed,
    )
    return changed, removed


def _replace_rows(
    target: Target, plan: ExportPlan, staging: "TableName", *, batch: str | None, has_doubles: bool
) -> tuple[int, int]:
    """Rows that were changed, and removed."""
    connection, dialect, shape = target.connection, target.dialect, target.shape
    if plan.mode == "incremental":
        removed = connection.run(dialect.remove_gone(shape, staging))
    else:
        scope = None if batch is None else "batch_id"
        missing = dialect.remove_missing(shape, staging, scope=scope)
        removed = connection.run(missing, *([] if batch is None else [batch]))
    *before, last = dialect.upsert(shape, staging, has_doubles=has_doubles)
    for statement in before:
        connection.run(statement)
    return connection.run(last), removed


def _require_all(target: Target, staging: "TableName", *, expected: int) -> bool:
    """Whether there are more rows than were sent, since a task that was repeated had written its own already.

    Raises:
        SetupError: there are fewer.
    """
    ((told,),) = target.connection.ask(f"SELECT COUNT(*) FROM {target.dialect.name(staging)}")  # noqa: S608  # quoted
    found = int(told or 0)
    if found < expected:
        raise SetupError(
            f"export {target.place.export}: {expected} rows were sent, and the database has {found} of them. The target is as it was; run again."
        )
    return found > expected
