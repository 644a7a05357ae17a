"""Process groups on a board, between their beginning and their end."""

import threading

from devices.transport.ssh_groups import Groups


def test_those_that_run_are_known_by_their_numbers() -> None:
    groups = Groups()
    for mark, number in (("a", 7), ("b", 5), ("c", 6)):
        groups.begin(mark)
        groups.know(mark, number)
    groups.forget("c")
    assert groups.all(0.0) == [5, 7]


def test_a_number_on_its_way_is_waited_for() -> None:
    groups = Groups()
    groups.begin("a")
    told = threading.Timer(0.05, groups.know, ("a", 7))
    told.start()
    assert groups.all(30.0) == [7]
    told.join()


def test_a_number_that_does_not_come_holds_nobody() -> None:
    groups = Groups()
    groups.begin("silent")
    groups.begin("a")
    groups.know("a", 7)
    assert groups.all(0.01) == [7]


def test_what_has_ended_before_its_number_came_is_not_waited_for() -> None:
    groups = Groups()
    groups.begin("a")
    groups.forget("a")
    groups.know("a", 7)
    assert groups.all(30.0) == []
