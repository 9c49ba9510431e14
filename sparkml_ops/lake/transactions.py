"""Delta's own transactions, by which its commands commit, and which have no public call.

What is committed by one has conflicts, checkpoints and history as ever. Where the classes are missing (another Delta than this one),
`has_transactions` says so, and rows are written as usual.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from py4j.java_gateway import JavaPackage
from pyspark.sql import DataFrame

from sparkml_ops.lake.location import Lake, table_path
from sparkml_ops.lake.session import sibling_session


def delta_classes(lake: Lake) -> Any:
    """Delta's classes."""
    jvm: Any = lake.spark._jvm  # noqa: SLF001  # pyspark has no way to them
    return jvm.org.apache.spark.sql.delta


def has_transactions(lake: Lake) -> bool:
    """Whether they are there."""
    return not isinstance(delta_classes(lake).OptimisticTransaction, JavaPackage)


def start_transaction(lake: Lake, table: str) -> Any:
    """A transaction on the newest version of a table by path, or on one that it makes."""
    session: Any = lake.spark._jsparkSession  # noqa: SLF001
    path = table_path(lake, table)
    return delta_classes(lake).DeltaLog.forTable(session, path).startTransaction()


@contextmanager
def noting(lake: Lake, note: str) -> Iterator[None]:
    """While the block runs, commits of this thread have the note as `userMetadata`."""
    sibling = sibling_session(lake.spark)
    sibling.conf.set("spark.databricks.delta.commitInfo.userMetadata", note)
    sessions: Any = lake.spark._jvm.org.apache.spark.sql.classic.SparkSession  # type: ignore[union-attr]  # noqa: SLF001
    before = sessions.getActiveSession()
    sessions.setActiveSession(sibling._jsparkSession)  # noqa: SLF001
    try:
        yield
    finally:
        if before.isDefined():
            sessions.setActiveSession(before.get())
        else:
            sessions.clearActiveSession()


def read_files(lake: Lake, transaction: Any, files: Iterable[Any]) -> DataFrame:
    """Rows of some files of a table, which are told as a log's actions."""
    nothing = lake.spark._jvm.scala.Option.empty()  # type: ignore[union-attr]  # noqa: SLF001
    found = transaction.deltaLog().createDataFrame(transaction.snapshot(), to_seq(lake, files), False, nothing)
    return DataFrame(found, lake.spark)


def to_action(lake: Lake, action: Mapping[str, Any]) -> Any:
    """An action of a log from what a log has of it."""
    actions = getattr(delta_classes(lake).actions, "Action$").__getattr__("MODULE$")
    return actions.fromJson(json.dumps(action))


def to_seq(lake: Lake, values: Iterable[Any]) -> Any:
    """A list of Scala's."""
    jvm: Any = lake.spark._jvm  # noqa: SLF001
    collected = jvm.java.util.ArrayList()
    for value in values:
        collected.add(value)
    return jvm.scala.jdk.javaapi.CollectionConverters.asScala(collected).toSeq()


def from_seq(lake: Lake, values: Any) -> Any:
    """What a list of Scala's has, to go through."""
    jvm: Any = lake.spark._jvm  # noqa: SLF001
    return jvm.scala.jdk.javaapi.CollectionConverters.asJava(values)


def list_metrics(lake: Lake, figures: Mapping[str, int]) -> Any:
    """What a commit tells of itself, for `registerSQLMetrics`."""
    jvm: Any = lake.spark._jvm  # noqa: SLF001
    context: Any = lake.spark._jsc.sc()  # noqa: SLF001
    collected = jvm.java.util.HashMap()
    for name, figure in figures.items():
        metric = jvm.org.apache.spark.sql.execution.metric.SQLMetrics.createMetric(context, name)
        metric.set(figure)
        collected.put(name, metric)
    immutable = getattr(jvm.scala.collection.immutable, "Map$").__getattr__("MODULE$")
    return getattr(immutable, "from")(jvm.scala.jdk.javaapi.CollectionConverters.asScala(collected))
