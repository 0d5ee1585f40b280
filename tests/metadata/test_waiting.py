"""In which order commands are taken up, whoever waits for them."""

from typing import Any

import pytest

from tams_graphql.metadata import waiting
from tams_graphql.metadata.engine import Changes, View
from tams_graphql.metadata.waiting import PATIENCE, CommandQueue, Waiting
from tams_graphql.model.errors import Unavailable


def command(_: View) -> Changes[None]:
    return Changes(answer=None)


def submitted(queue: CommandQueue, *, background: bool = False) -> Any:
    """A fresh command, told by its future."""
    return queue.submit(command, (), background=background)


def future_of(taken: Waiting | None) -> Any:
    return None if taken is None else taken.future


def test_commands_come_in_the_order_of_their_arrival() -> None:
    queue = CommandQueue()
    futures = [submitted(queue) for _ in range(3)]
    assert [future_of(one) for one in (queue.wait(0), queue.next(), queue.next())] == futures
    assert queue.next() is None
    assert queue.wait(0) is None


def test_the_background_comes_last_and_joins_nobody() -> None:
    queue = CommandQueue()
    later, now = submitted(queue, background=True), submitted(queue)
    assert future_of(queue.wait(0)) is now
    assert queue.next() is None
    assert future_of(queue.wait(0)) is later
    joining = submitted(queue)
    assert future_of(queue.next()) is joining


def test_the_background_gets_its_turn_in_the_end() -> None:
    queue = CommandQueue()
    later = submitted(queue, background=True)
    others = [submitted(queue) for _ in range(PATIENCE + 2)]
    taken = [future_of(queue.wait(0)) for _ in range(PATIENCE + 3)]
    assert taken == [*others[:PATIENCE], later, *others[PATIENCE:]]


def test_the_background_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = CommandQueue()
    later = [submitted(queue, background=True) for _ in range(2)]
    others = [submitted(queue) for _ in range(3)]
    assert future_of(queue.wait(0)) is others[0]
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", -1.0)
    assert future_of(queue.wait(0)) is later[0]
    # Not two in a row: somebody else may be waiting as long.
    assert future_of(queue.wait(0)) is others[1]
    assert future_of(queue.wait(0)) is later[1]


def test_a_command_that_nobody_waits_for_is_dropped() -> None:
    queue = CommandQueue()
    assert submitted(queue).cancel()
    assert submitted(queue, background=True).cancel()
    assert queue.wait(0) is None
    # That is not the end: whoever comes now is served.
    assert not queue.finished
    future = submitted(queue)
    assert future_of(queue.wait(0)) is future


def test_a_closed_queue_serves_what_waits_and_takes_no_more() -> None:
    queue = CommandQueue()
    later = submitted(queue, background=True)
    queue.close()
    assert not queue.finished
    with pytest.raises(Unavailable, match="closed"):
        submitted(queue)
    assert future_of(queue.wait(0)) is later
    assert queue.finished


def test_those_who_came_later_are_not_told_with_the_others() -> None:
    queue = CommandQueue()
    early = [submitted(queue), submitted(queue, background=True)]
    last = queue._background[-1].arrived
    late = submitted(queue)
    queue._waiting[-1].arrived = last + 1
    assert [one.future for one in queue.all(arrived_by=last)] == early
    assert [one.future for one in queue.all()] == [late]
