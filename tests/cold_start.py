"""What the JVMs of the tests are told, so that they start in about half the time.

Tests run code that is new to the JVM most of the time, and then the optimising compiler takes more than it gives back. Two thirds of a
start go into loading Spark's classes: the sample's first run leaves them in an archive beside the jars, and later processes map it. The
JVM itself passes over an archive of other jars or of another Java.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ARCHIVE = Path(sys.prefix) / "spark-classes.jsa"
# Code of one kind gets 48 MB otherwise, and Spark has more of it. What the JVM says of all this would stand between a program's lines.
_PLAIN = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=512m -Xlog:disable"
# A query of a few rows is over before a program made for it alone is compiled. Spark has the same expressions to call one by one, which
# takes a third less of the processor.
_INTERPRETED = "-Dspark.sql.codegen.wholeStage=false -Dspark.sql.codegen.factoryMode=NO_CODEGEN"
_WITH_PROGRAMS = os.environ.get("SPARKML_OPS_TEST_CODEGEN", "0") == "1"


def quick_start(*, with_programs: bool = _WITH_PROGRAMS) -> dict[str, str]:
    """Environment variables for a process whose JVM lives for a test or a suite.

    Args:
        with_programs: Whether Spark makes a program for each query, as it does by default.
    """
    archive = f" -XX:SharedArchiveFile={ARCHIVE}" if ARCHIVE.exists() else ""
    interpreted = "" if with_programs else f" {_INTERPRETED}"
    return {"SPARK_SUBMIT_OPTS": f"{_PLAIN}{interpreted}{archive}"}


@contextmanager
def leaving_archive() -> Iterator[dict[str, str]]:
    """Environment variables for a process that makes the archive, where there is none; it is in place once the block ends.

    That is the sample's first run, whose queries are all made into programs, as a user's are.
    """
    if ARCHIVE.exists():
        yield quick_start(with_programs=True)
        return
    unfinished = ARCHIVE.with_suffix(f".{os.getpid()}")
    yield {"SPARK_SUBMIT_OPTS": f"{_PLAIN} -XX:ArchiveClassesAtExit={unfinished}"}
    if unfinished.exists():
        unfinished.replace(ARCHIVE)
