"""The loop that delivers: several calls at a time, a probe alone, an orderly end, and who looks after it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from services.access.requester import ANONYMOUS
from services.constant_contact.client import SignedUp
from services.constant_contact.contact_data import ContactData
from services.delivery.pacing import depart
from services.delivery.thread import DeliveryThread, watch
from services.delivery.worker import Delivery
from services.intake.parsing import read_form
from services.intake.record import Evidence
from store.errors import StoreUnavailable
from store.outbox.claimed import Claimed
from tests.services.conftest import Clock, System
from tests.services.vendor import NEWSLETTER, ScriptedVendor


class SlowVendor(ScriptedVendor):
    """Holds every call until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.in_flight = 0
        self.most = 0
        self._lock = threading.Lock()

    def sign_up(self, data: ContactData) -> SignedUp:
        depart()
        with self._lock:
            self.in_flight += 1
            self.most = max(self.most, self.in_flight)
        self.go_on.wait(10)
        with self._lock:
            self.in_flight -= 1
        return super().sign_up(data)


class RealClock(Clock):
    """The time it is."""

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


def soon(condition: Callable[[], bool], seconds: float = 5) -> bool:
    """Whether it comes true in that time."""
    pause, end = threading.Event(), time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        pause.wait(0.01)
    return False


@contextmanager
def looping(system: System, longest_idle_seconds: float = 30) -> Iterator[threading.Event]:
    """The loop in a thread of its own; it has ended when the block ends."""
    stop = threading.Event()
    loop = threading.Thread(
        target=system.delivery.run, args=(stop,), kwargs={"longest_idle_seconds": longest_idle_seconds}
    )
    loop.start()
    try:
        yield stop
    finally:
        stop.set()
        system.delivery.wake()
        loop.join(10)
        assert not loop.is_alive()


@pytest.fixture
def vendor() -> SlowVendor:
    return SlowVendor()


@pytest.fixture
def system(tmp_path: Path, vendor: SlowVendor) -> Iterator[System]:
    """A system beside a slow vendor."""
    system = System(tmp_path, vendor=vendor)
    system.connect()
    yield system
    system.database.close()


def store_elsewhere(path: Path) -> str:
    """A sign-up that another process stored: nobody here is woken."""
    elsewhere = System(path)
    try:
        return elsewhere.sign_up()
    finally:
        elsewhere.database.close()


def test_sign_ups_of_several_contacts_are_under_way_at_a_time(system: System, vendor: SlowVendor) -> None:
    """A vendor that takes its time does not slow down the rest."""
    ids = [system.sign_up(f"p{number}@example.org") for number in range(4)]
    with looping(system):
        assert soon(lambda: vendor.in_flight == 4)
        vendor.go_on.set()
        assert soon(lambda: all(system.view(each).status == "subscribed" for each in ids))


def test_no_more_than_eight_are_under_way(tmp_path: Path, vendor: SlowVendor) -> None:
    """A call is booked only when there is somebody to send it at once."""
    system = System(tmp_path, vendor=vendor, clock=RealClock())
    system.connect()
    for number in range(12):
        system.sign_up(f"p{number}@example.org")
    with looping(system):
        assert soon(lambda: vendor.in_flight == 8)
        assert not soon(lambda: vendor.in_flight > 8, 0.3)
        vendor.go_on.set()
        assert soon(lambda: len(vendor.signed_up) == 12)
    system.database.close()


def test_the_sign_ups_of_one_contact_never_overtake_each_other(tmp_path: Path, vendor: SlowVendor) -> None:
    """One that comes in during the call waits for its end, and goes at once then, not at the next look."""
    system = System(tmp_path, vendor=vendor, tuning={"monotonic": Hurrying()})
    system.connect()
    with looping(system):
        first = system.sign_up(first_name="Ann")
        assert soon(lambda: vendor.in_flight == 1)
        second = system.sign_up(first_name="Anna")
        assert not soon(lambda: vendor.in_flight > 1, 0.2)
        vendor.go_on.set()
        assert soon(lambda: system.view(second).status == "subscribed")
    assert [body["first_name"] for body in vendor.signed_up] == ["Ann", "Anna"]
    assert system.view(first).status == "subscribed"
    system.database.close()


def test_after_an_outage_one_call_goes_ahead_and_the_others_follow_its_success(
    system: System, vendor: SlowVendor
) -> None:
    """A vendor that has just come back is not met by all at once."""
    for number in range(4):
        system.sign_up(f"p{number}@example.org")
    system.quota.pause(until=system.clock.now, reason="away")
    system.clock.now += 1
    with looping(system):
        assert soon(lambda: vendor.in_flight == 1)
        assert not soon(lambda: vendor.in_flight > 1, 0.3)
        vendor.go_on.set()
        assert soon(lambda: len(vendor.signed_up) == 4)
    assert system.quota.read().failures == 0


def test_a_stop_lets_the_calls_under_way_finish_and_begins_no_other(
    system: System, vendor: SlowVendor
) -> None:
    """What was sent is written down before the loop ends; the rest stays due."""
    ids = [system.sign_up(f"p{number}@example.org") for number in range(5)]
    with looping(system) as stop:
        assert soon(lambda: vendor.in_flight == 4)
        stop.set()
        system.delivery.wake()
        system.clock.now += 5_000
        threading.Timer(0.1, vendor.go_on.set).start()
    assert [system.view(each).status for each in ids] == [*["subscribed"] * 4, "queued"]
    assert system.view(ids[4]).attempts == 0


def test_a_stop_between_claim_and_call_gives_the_sign_up_back(system: System, vendor: SlowVendor) -> None:
    """A stop may come at the very moment when a claim is being committed."""
    stop = threading.Event()
    system.authorization.meanwhile = stop.set
    vendor.go_on.set()
    system.connect(lasts_ms=0)
    signup_id = system.sign_up()
    system.delivery.run(stop)
    assert vendor.signed_up == []
    assert (system.view(signup_id).status, system.view(signup_id).attempts) == ("queued", 0)
    assert isinstance(system.deliveries.claim(system.clock.now), Claimed)


def test_what_another_process_stored_is_found_within_a_second(
    system: System, vendor: SlowVendor, tmp_path: Path
) -> None:
    """While there is something to do, the database is asked once a second."""
    vendor.go_on.set()
    with looping(system):
        assert soon(lambda: system.delivery.silent_seconds() is not None)
        signup_id = store_elsewhere(tmp_path)
        assert soon(lambda: system.view(signup_id).status == "subscribed", 3)


def test_a_database_that_sleeps_is_not_woken_each_second(tmp_path: Path, vendor: SlowVendor) -> None:
    """After a minute without sign-ups the loop asks at its long intervals only."""
    system = System(tmp_path, vendor=vendor, tuning={"monotonic": Hurrying()})
    system.connect()
    vendor.go_on.set()
    with looping(system, longest_idle_seconds=1.6):
        assert soon(lambda: system.delivery.silent_seconds() is not None)
        signup_id = store_elsewhere(tmp_path)
        assert not soon(lambda: system.view(signup_id).status == "subscribed", 1.2)
        assert soon(lambda: system.view(signup_id).status == "subscribed", 3)
    system.database.close()


def test_a_strangers_sign_up_goes_out_once_its_answer_did(tmp_path: Path, vendor: SlowVendor) -> None:
    """Not before, or the answer to one that is believed would come later than to one that is not."""
    system = System(tmp_path, vendor=vendor, tuning={"monotonic": Hurrying()})
    system.connect()
    vendor.go_on.set()
    with looping(system):
        assert soon(lambda: system.delivery.silent_seconds() is not None)
        submission = read_form([("email", "ann@example.org"), ("list_id", NEWSLETTER.list_id)])
        accepted = system.intake.accept(submission, ANONYMOUS, Evidence())
        assert not soon(lambda: system.view(accepted.id).status == "subscribed", 0.3)
        system.intake.answered()
        assert soon(lambda: system.view(accepted.id).status == "subscribed")
    system.database.close()


class Hurrying:
    """Seconds that pass a minute at each look."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 61
        return self.now


def test_a_database_that_fails_during_calls_does_not_run_through_the_backlog(
    tmp_path: Path, vendor: SlowVendor
) -> None:
    """Each sign-up would cost a call that nobody takes note of; the loop rests, whoever wakes it."""
    system = System(tmp_path, vendor=vendor, tuning={"after_fault_seconds": 10})
    system.connect()
    vendor.go_on.set()
    vendor.script = [StoreUnavailable("away") for _ in range(8)]
    for number in range(8):
        system.sign_up(f"p{number}@example.org")
    with looping(system):
        assert soon(lambda: vendor.signed_up != [])
        assert not soon(lambda: len(vendor.signed_up) > 4, 0.2)
        system.clock.now += 5_000
        system.delivery.wake()
        assert not soon(lambda: len(vendor.signed_up) > 4, 0.4)
    system.database.close()


def test_a_drain_sends_several_at_a_time_and_waits_for_all(system: System, vendor: SlowVendor) -> None:
    """Its figures are those of calls that have ended."""
    for number in range(4):
        system.sign_up(f"p{number}@example.org")
    threading.Timer(0.3, vendor.go_on.set).start()
    report = system.delivery.drain(25)
    assert vendor.most == 4
    assert (report.delivered, report.pending) == (4, 0)


def test_a_drain_ends_when_the_database_fails_during_calls(system: System, vendor: SlowVendor) -> None:
    """The sign-ups stay, for the next one."""
    vendor.go_on.set()
    system.clock.tick = 60
    vendor.script = [StoreUnavailable("away") for _ in range(40)]
    for number in range(40):
        system.sign_up(f"p{number}@example.org")
    report = system.delivery.drain(25)
    assert (report.delivered, report.pending) == (0, 40)
    # Those that were in flight together, and what their threads made room for.
    assert len(vendor.signed_up) <= 16


def test_a_drain_whose_time_is_over_still_finishes_its_calls(tmp_path: Path, vendor: SlowVendor) -> None:
    """Whoever asked is told what came of them."""
    system = System(tmp_path, vendor=vendor, clock=RealClock())
    system.clock.now = system.clock()
    system.connect()
    system.sign_up()
    threading.Timer(0.6, vendor.go_on.set).start()
    report = system.delivery.drain(0.2)
    assert (report.delivered, report.pending) == (1, 0)
    system.database.close()


def test_a_drain_beside_a_running_loop_ends_too(system: System, vendor: SlowVendor) -> None:
    """Each is woken for itself; what the other has under way is not waited for."""
    vendor.go_on.set()
    with looping(system):
        signup_id = system.sign_up()
        assert soon(lambda: system.view(signup_id).status == "subscribed")
        assert system.delivery.drain(5).pending == 0
        signup_id = system.sign_up("bob@example.org")
        assert soon(lambda: system.view(signup_id).status == "subscribed")


def test_the_permitted_rate_is_used_however_slow_the_vendor_and_never_exceeded(tmp_path: Path) -> None:
    """Never a fifth call in a sliding second where the calls arrive, and nearly four of them."""
    arrived: list[float] = []

    class Distant(ScriptedVendor):
        def sign_up(self, data: ContactData) -> SignedUp:
            depart()
            arrived.append(time.monotonic())
            threading.Event().wait(1.5)
            return super().sign_up(data)

    system = System(tmp_path, vendor=Distant(), clock=RealClock())
    system.connect()
    for number in range(12):
        system.sign_up(f"p{number}@example.org")
    with looping(system):
        assert soon(lambda: len(arrived) == 12, 20)
    system.database.close()
    arrived.sort()
    assert max(sum(first <= other < first + 1 for other in arrived) for first in arrived) <= 4
    # Twice four calls in two gaps of 1.1 s, and some time for a busy machine; one by one it would be 12 s.
    assert arrived[-1] - arrived[3] < 5


class Dying(Delivery):
    """Its loop ends at once, the first time."""

    runs = 0

    def run(self, stop: threading.Event, **options: Any) -> None:
        self.runs += 1
        if self.runs > 1:
            super().run(stop, **options)


class Hanging(Delivery):
    """Its loop is stuck, the first time, so that nothing ticks."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.ended: list[str] = []
        self.stuck = True

    def silent_seconds(self) -> float | None:
        return 61.0 if self.stuck else super().silent_seconds()

    def run(self, stop: threading.Event, **options: Any) -> None:
        if self.stuck and not self.ended:
            self.ended.append("began")
            stop.wait(10)
            self.ended.append("ended")
        else:
            self.stuck = False
            super().run(stop, **options)


@pytest.mark.parametrize("kind", [Dying, Hanging])
def test_a_loop_that_died_or_hangs_is_replaced(
    system: System, vendor: SlowVendor, kind: type[Delivery]
) -> None:
    """The sign-ups go on; the old loop is told to end, should it ever come back."""
    vendor.go_on.set()
    delivery = kind(
        attempt=system.attempt,
        keep_fresh=lambda: system.lists.keep_fresh() or system.vocabulary.keep_fresh(),
    )
    thread = DeliveryThread(delivery, look_every_seconds=0.02)
    thread.start()
    signup_id = system.sign_up()
    delivery.wake()
    assert soon(lambda: system.view(signup_id).status == "subscribed")
    thread.stop()
    if isinstance(delivery, Hanging):
        assert soon(lambda: delivery.ended == ["began", "ended"])


class Ticking(Delivery):
    """Tells what the test says about its last tick, look by look."""

    def __init__(self, looks: list[float | None], stop: threading.Event, **parts: Any) -> None:
        super().__init__(**parts)
        self.looks, self._stop = looks, stop

    def silent_seconds(self) -> float | None:
        silent = self.looks.pop(0)
        if not self.looks:
            self._stop.set()
        return silent


@pytest.mark.parametrize(
    ("looks", "ends"),
    [([61.0, 66.0, 71.0], 1), ([None, 59.0, 60.0, 60.0], 0), ([90.0, 1.0, 2.0, 90.0, 1.0], 0)],
    ids=["hangs", "is at work", "was frozen and goes on"],
)
def test_a_process_whose_loop_hangs_is_ended(system: System, looks: list[float | None], ends: int) -> None:
    """Its supervisor starts another one; one that was only frozen goes on by itself."""
    stop, ended = threading.Event(), []
    delivery = Ticking(
        looks,
        stop,
        attempt=system.attempt,
        keep_fresh=lambda: system.lists.keep_fresh() or system.vocabulary.keep_fresh(),
    )
    watch(delivery, stop, end=lambda: ended.append(1), look_every_seconds=0.001)
    assert len(ended) == ends


def test_a_stopped_delivery_is_not_replaced(system: System, vendor: SlowVendor) -> None:
    """Whoever ends the process wants no new loop."""
    vendor.go_on.set()
    thread = DeliveryThread(system.delivery, look_every_seconds=0.01)
    thread.start()
    assert soon(lambda: system.delivery.silent_seconds() is not None)
    thread.stop()
    names = {"delivery", "delivery-watch"}
    assert soon(lambda: not [each for each in threading.enumerate() if each.name in names])
