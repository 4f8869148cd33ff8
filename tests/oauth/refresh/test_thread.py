"""The background thread."""

import threading

from oauth.refresh.thread import RefreshThread


class Tended:
    """Counts; ``tended`` is set at each call."""

    def __init__(self, between: float) -> None:
        self.between = between
        self.times = 0
        self.tended = threading.Event()
        self.refresh_due = threading.Event()

    def tend(self) -> None:
        self.times += 1
        self.tended.set()

    def seconds_between(self) -> float:
        return self.between


def test_a_due_refresh_is_heard_of_at_once_and_stop_ends_the_thread() -> None:
    """Until then it sleeps; after stop nothing is tended."""
    source = Tended(600)
    thread = RefreshThread(source)
    thread.start()
    assert source.tended.wait(5)
    source.tended.clear()
    source.refresh_due.set()
    assert source.tended.wait(5)
    thread.stop()
    times = source.times
    source.refresh_due.set()
    threading.Event().wait(0.05)
    assert source.times == times


def test_short_lived_tokens_are_looked_at_more_often() -> None:
    """The pause follows the token's soft margin."""
    source = Tended(0.01)
    thread = RefreshThread(source)
    thread.start()
    for _ in range(3):
        assert source.tended.wait(5)
        source.tended.clear()
    thread.stop()
    assert source.times >= 3
