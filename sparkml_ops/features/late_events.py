"""Events that became known out of the order in which they were true, for sliding windows that want a range of positions.

Sorted by their times, the events that are known at a moment are the first so many of their entity, as long as each becomes known no
earlier than those before it. An event that becomes known later than one after it is late. The time of its entity is therefore cut into
epochs: one begins wherever a late event becomes known. Within an epoch the late ones are known or are not there, and the rest is in
order. An event is copied into every epoch in which it is in some window, so what this costs is the number of late arrivals in the length of
the longest window; entities without late events have one epoch, and cost nothing.
"""

from dataclasses import dataclass

import numpy as np

from sparkml_ops.features.window_sums import Positions

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Epochs:
    """Events copied into epochs.

    Attributes:
        row: which event each copy is of.
        epoch: the number of the copy's epoch; numbers grow with entity and time.
        time: when the event was true.
        enter: from when on the copy is in its windows; grows with the time of the event.
        until: per epoch the instant at which the next one of its entity begins.
        entity: per epoch the number of its entity.
    """

    row: Positions
    epoch: Positions
    time: Positions
    enter: Positions
    until: Positions
    entity: Positions


def open_epochs(entity: Positions, time: Positions, enter: Positions, leave: Positions) -> Epochs:
    """Cut the time of each entity where a late event enters.

    Args:
        entity: numbers of the events' entities.
        time: when they were true.
        enter: when they enter windows; not before `time`.
        leave: when they leave the longest window.
    """
    order = np.lexsort((time, entity))
    known_before = _first_known_of_later(entity[order], time[order], enter[order])
    is_late = np.empty(len(order), dtype=bool)
    is_late[order] = known_before < enter[order]
    numbers = np.unique(entity)
    owners = np.concatenate([numbers, entity[is_late]])
    starts = np.concatenate([np.full(len(numbers), -_NEVER), enter[is_late]])
    owner, start = np.unique(np.stack([owners, starts]), axis=1)
    until = np.append(np.where(owner[1:] == owner[:-1], start[1:], _NEVER), _NEVER)
    first = _count_begun(owner, start, entity, enter) - 1
    last = _count_begun(owner, start, entity, leave - 1) - 1
    copies = np.maximum(last - first + 1, 0)
    row = np.repeat(np.arange(len(entity)), copies)
    epoch = np.arange(len(row)) - np.repeat(np.cumsum(copies) - copies, copies) + np.repeat(first, copies)
    of_copies = np.lexsort((time[row], epoch))
    in_order = np.empty(len(row), dtype=np.int64)
    in_order[of_copies] = _first_known_of_later(epoch[of_copies], time[row][of_copies], enter[row][of_copies])
    return Epochs(row, epoch, time[row], np.maximum(in_order, start[epoch]), until, owner)


def _first_known_of_later(entity: Positions, time: Positions, enter: Positions) -> Positions:
    """Per event, sorted by entity and time, when the first of those of its time or later enters."""
    instants, ranks = np.unique(enter, return_inverse=True)
    keys = entity * len(enter) + ranks
    least = np.minimum.accumulate(keys[::-1])[
        ::-1
    ]  # an entity's keys are below those of the next: it starts anew with each
    is_first = np.ones(len(time), dtype=bool)
    is_first[1:] = (entity[1:] != entity[:-1]) | (time[1:] != time[:-1])
    of_group = least[np.maximum.accumulate(np.where(is_first, np.arange(len(time)), 0))]
    return instants[of_group - entity * len(enter)]


def _count_begun(owner: Positions, start: Positions, entity: Positions, instant: Positions) -> Positions:
    """How many epochs of all, sorted by entity and start, begin at or before an instant of an entity."""
    # Sorting is stable: of equal instants the starts come first, and have begun.
    order = np.lexsort((np.concatenate([start, instant]), np.concatenate([owner, entity])))
    is_start = order < len(start)
    begun = np.cumsum(is_start)
    counted = np.empty(len(instant), dtype=np.int64)
    counted[order[~is_start] - len(start)] = begun[~is_start]
    return counted
