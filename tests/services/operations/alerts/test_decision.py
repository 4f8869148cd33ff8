"""When something is told: once for each change, never a storm, never silence."""

from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.operations.alerts.decision import GAP_MS, OVER_MS, REMINDER_MS, Event, next_state
from store.mail.alerts import AlertState

MINUTE = 60_000
SEEN = ({"code": "backlog_old", "sentence": "s", "cure": None},)


@dataclass
class Kind:
    """One kind of alert, looked at by the minute."""

    patience_ms: int = 0
    now: int = 1_790_000_000_000
    state: AlertState = field(default_factory=lambda: AlertState("waiting"))
    told: list[tuple[int, Event]] = field(default_factory=list)

    def look(self, *, wrong: bool) -> None:
        self.state, event = next_state(
            self.state, SEEN if wrong else (), now=self.now, patience_ms=self.patience_ms
        )
        if event is not None:
            self.told.append((self.now, event))

    def minutes(self, count: int, *, wrong: bool) -> list[Event]:
        """Let the minutes pass; what was told in them."""
        before = len(self.told)
        for _ in range(count):
            self.look(wrong=wrong)
            self.now += MINUTE
        return [event for _, event in self.told[before:]]


def test_raised_reminded_cleared() -> None:
    """Once at the beginning, once a day, once at the end."""
    kind = Kind()
    assert kind.minutes(60, wrong=False) == []
    assert kind.minutes(1, wrong=True) == [Event.RAISED]
    assert kind.minutes(24 * 60 - 1, wrong=True) == []
    assert kind.minutes(24 * 60, wrong=True) == [Event.REMINDER]
    assert kind.minutes(4, wrong=False) == [Event.CLEARED]
    assert kind.minutes(24 * 60 * 3, wrong=False) == []


def test_what_passes_within_the_patience_is_not_told() -> None:
    """A spool that is imported by the next look mends itself."""
    kind = Kind(patience_ms=MINUTE)
    assert kind.minutes(1, wrong=True) == []
    assert kind.minutes(60, wrong=False) == []
    assert kind.minutes(2, wrong=True) == [Event.RAISED]


def test_one_look_that_sees_nothing_ends_nothing() -> None:
    """Another process, which sees something else, looked in between."""
    kind = Kind()
    kind.minutes(30, wrong=True)
    for _ in range(30):
        assert kind.minutes(1, wrong=False) == []
        assert kind.minutes(1, wrong=True) == []


def test_the_end_within_a_quarter_of_an_hour_is_told_after_it() -> None:
    """Not at once, and not never."""
    kind = Kind()
    kind.minutes(1, wrong=True)
    assert kind.minutes(14, wrong=False) == []
    assert kind.minutes(1, wrong=False) == [Event.CLEARED]


def test_what_came_and_went_in_the_quiet_quarter_is_told_after_it() -> None:
    """Raised, cleared, and soon after wrong for five minutes: one message says so."""
    kind = Kind()
    kind.minutes(20, wrong=True)
    assert kind.minutes(2, wrong=False) == []
    assert kind.minutes(1, wrong=False) == [Event.CLEARED]
    assert kind.minutes(5, wrong=True) == []
    assert kind.minutes(30, wrong=False) == [Event.PASSED]
    assert kind.minutes(60, wrong=False) == []


def test_a_restart_goes_on_where_it_was() -> None:
    """What is still wrong after hours without a look has lasted; what is over by then is told."""
    kind = Kind()
    kind.minutes(1, wrong=True)
    began = kind.state.began_at
    kind.now += 5 * 60 * MINUTE
    assert kind.minutes(10, wrong=True) == []
    assert kind.state.began_at == began
    kind.now += 5 * 60 * MINUTE
    assert kind.minutes(1, wrong=False) == [Event.CLEARED]


def test_a_clock_that_was_set_back_keeps_nobody_waiting() -> None:
    """Neither for the message nor for its end."""
    kind = Kind()
    kind.minutes(1, wrong=True)
    kind.now -= 365 * 24 * 60 * MINUTE
    assert kind.minutes(1, wrong=False) == [Event.CLEARED]
    assert kind.minutes(16, wrong=True) == [Event.RAISED]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 40), st.integers(0, 400)), max_size=25),
    st.sampled_from([0, MINUTE]),
)
def test_no_storm_and_no_silence(spells: list[tuple[bool, int, int]], patience_ms: int) -> None:
    """Whatever comes and goes, with stops of the service in between."""
    kind = Kind(patience_ms)
    for wrong, minutes, stopped in spells:
        kind.minutes(minutes, wrong=wrong)
        kind.now += stopped * MINUTE
        # Who reads the messages after a quarter of an hour knows how it is, while somebody looks.
        if minutes * MINUTE > GAP_MS + OVER_MS + patience_ms:
            assert kind.state.told is wrong
    times = [at for at, _ in kind.told]
    assert all(after - before >= GAP_MS for before, after in pairwise(times))
    events = [event for _, event in kind.told]
    for before, after in zip([Event.CLEARED, *events], events, strict=False):
        on = before in {Event.RAISED, Event.REMINDER}
        assert (after in {Event.REMINDER, Event.CLEARED}) is on
    reminders = [at for at, event in kind.told if event is Event.REMINDER]
    assert all(at - max(t for t in times if t < at) >= REMINDER_MS for at in reminders)
