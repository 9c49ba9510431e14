"""Waiting for a publication: by batch, by moment of decision, by when it was published."""

from datetime import UTC, datetime, timedelta

import pytest

from sparkml_ops.delivery.wait import Awaited, look_for_publication, wait_for_publication
from sparkml_ops.lake import Lake
from tests.delivery.published_shop import AT, PUBLISHED_AT, Shop

SECOND = timedelta(seconds=1)


def test_a_batch_is_waited_for_until_it_is_published(lake: Lake) -> None:
    shop, looks = Shop(lake), []
    steps = [
        lambda: shop.publish("monday", {"a": 0.1}, status="held"),
        lambda: shop.publish("monday", {"a": 0.1}, version=2),
    ]

    def sleep(seconds: float) -> None:
        looks.append((round(seconds), look_for_publication(lake, Awaited("monday")).reason))
        steps.pop(0)()

    result = wait_for_publication(lake, Awaited("monday"), timeout_seconds=3600, every_seconds=7, sleep=sleep)
    assert looks == [(7, "the batch monday is not there"), (7, "the batch monday is held")]
    assert (result.is_there, result.batch, result.newest_as_of, result.published_at) == (
        True,
        "monday",
        AT,
        PUBLISHED_AT,
    )
    assert result.version is not None
    over = wait_for_publication(lake, Awaited("tuesday"), timeout_seconds=0)
    assert (over.is_there, over.reason) == (False, "the batch tuesday is not there")
    cases = [
        (Awaited(), True),
        (Awaited(as_of=AT), True),
        (Awaited(as_of=AT + SECOND), False),
        (Awaited(published_after=PUBLISHED_AT - SECOND), True),
        (Awaited(published_after=PUBLISHED_AT), False),
        (Awaited("monday", AT, PUBLISHED_AT - SECOND), True),
    ]
    assert [look_for_publication(lake, awaited).is_there for awaited, _ in cases] == [wanted for _, wanted in cases]
    late = look_for_publication(lake, Awaited(as_of=datetime(2030, 1, 1, tzinfo=UTC)))
    assert (
        late.reason
        == "decisions up to 2026-03-29T01:30:00.123456+00:00 published, none of 2030-01-01T00:00:00+00:00 or later"
    )


def test_nothing_was_ever_published(lake: Lake) -> None:
    assert look_for_publication(lake, Awaited()).reason == "no batch is published"
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wait_for_publication(lake, Awaited(), timeout_seconds=60, every_seconds=5, sleep=sleep)
    assert waits == [5, 5, 5]
