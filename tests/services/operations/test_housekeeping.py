"""What is done now and then."""

import threading

from services.operations.housekeeping import Housekeeping, HousekeepingThread, Task
from store.errors import StoreUnavailable
from tests.services.conftest import Clock


def test_each_task_runs_in_its_own_time() -> None:
    """A task runs at once, then after its interval, also when the clock goes back."""
    clock, done = Clock(), list[str]()
    housekeeping = Housekeeping(
        [Task("often", 5, lambda: done.append("often")), Task("seldom", 60, lambda: done.append("seldom"))],
        clock,
    )
    for seconds in (0, 4, 1, 55, -3_600):
        clock.now += seconds * 1000
        housekeeping.turn()
    assert done == ["often", "seldom", "often", "often", "seldom", "often", "seldom"]


def test_a_long_run_is_followed_by_a_long_rest() -> None:
    """With a rest factor of 1,000, a run of 2 s is followed by a pause of 2,000 s."""
    clock, runs = Clock(), list[int]()

    def check() -> None:
        clock.now += 2_000
        runs.append(clock.now)

    housekeeping = Housekeeping([Task("check", 60, check, rest_factor=1_000)], clock)
    for seconds in (0, 60, 1_939, 1):
        clock.now += seconds * 1000
        housekeeping.turn()
    assert len(runs) == 2
    assert runs[1] - runs[0] == 2_002_000


def test_a_failure_spoils_no_other_task() -> None:
    """Neither a store error nor an unforeseen one ends the turn or reaches the caller."""
    done = list[str]()

    def away() -> None:
        raise StoreUnavailable

    def broken() -> None:
        raise ZeroDivisionError

    tasks = [Task("away", 5, away), Task("broken", 5, broken), Task("fine", 5, lambda: done.append("fine"))]
    Housekeeping(tasks, Clock()).turn()
    assert done == ["fine"]


def test_two_turns_at_once_do_the_work_once() -> None:
    """The second caller returns without waiting."""
    inside, leave, done = threading.Event(), threading.Event(), list[int]()

    def slow() -> None:
        done.append(1)
        inside.set()
        leave.wait(10)

    housekeeping = Housekeeping([Task("slow", 0, slow)], Clock())
    first = threading.Thread(target=housekeeping.turn)
    first.start()
    assert inside.wait(10)
    housekeeping.turn()
    leave.set()
    first.join()
    assert done == [1]


def test_the_thread_turns_until_it_is_stopped() -> None:
    """The thread begins at once and ends when it is stopped."""
    ran = threading.Event()
    thread = HousekeepingThread(Housekeeping([Task("task", 60, ran.set)], Clock()))
    thread.start()
    assert ran.wait(10)
    thread.stop()
    assert not [running for running in threading.enumerate() if running.name == "housekeeping"]
