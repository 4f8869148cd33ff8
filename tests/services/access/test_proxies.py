"""Whose word about a visitor counts, and what tells that PROXY_HOPS cannot be right."""

from collections.abc import Callable

import pytest

from services.access.proxies import (
    IN_ORDER,
    PAST_THE_PROXY,
    PRIVATE_VISITOR,
    TOO_MANY_HOPS,
    UNCOUNTED,
    ProxyObservation,
    ProxyRules,
)
from services.access.proxy_watch import DAY_MS, FORGOTTEN_MS, KEY, ProxyWatch
from store.engine.database import Database
from store.key_value import KeyValue
from tests.services.conftest import Clock

OPEN_HOST, PROBED = "signup.example.org", "10.0.0.9:5000"
CLOUD = "130.211.0.0/22"


def rules(hops: int, *addresses: str, public_host: str | None = OPEN_HOST) -> ProxyRules:
    return ProxyRules(hops=hops, addresses=addresses, public_host=public_host)


@pytest.mark.parametrize(
    ("peer", "believed"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.1.2.3", True),
        ("172.17.0.1", True),
        ("100.64.0.7", True),
        ("fd00::1", True),
        ("", True),
        ("9.9.9.9", False),
        ("203.0.113.7", False),
        ("2a00:1450::1", False),
        ("::ffff:9.9.9.9", False),
    ],
)
def test_forwarded_is_believed_from_within_and_from_named_networks(peer: str, *, believed: bool) -> None:
    """A Unix socket, which has no address, counts as within; without PROXY_HOPS nothing is believed."""
    assert rules(1).believes(peer) is believed
    assert rules(2, CLOUD).believes("130.211.1.1")
    assert not rules(2, CLOUD).believes("130.212.1.1")
    assert not rules(0, CLOUD).believes(peer)


@pytest.mark.parametrize(
    ("hops", "peer", "headers", "shown"),
    [
        # No proxy, and none counted.
        (0, "9.9.9.9", {}, IN_ORDER),
        (0, "9.9.9.9", {"X_FORWARDED_FOR": "8.8.8.8"}, IN_ORDER),
        (0, "127.0.0.1", {"HOST": PROBED}, None),
        # A proxy that is not counted.
        (0, "127.0.0.1", {"HOST": PROBED, "X_FORWARDED_FOR": "9.9.9.9"}, UNCOUNTED),
        (0, "10.0.0.2", {"X_FORWARDED_PROTO": "https"}, UNCOUNTED),
        (0, "10.0.0.2", {"FORWARDED": "for=9.9.9.9"}, UNCOUNTED),
        (0, "", {"X_REAL_IP": "9.9.9.9"}, UNCOUNTED),
        (0, "10.0.0.2", {}, PRIVATE_VISITOR),
        # One that is.
        (1, "127.0.0.1", {"X_FORWARDED_FOR": "9.9.9.9"}, IN_ORDER),
        (1, "127.0.0.1", {"X_FORWARDED_FOR": "203.0.113.9"}, IN_ORDER),
        (1, "", {"X_FORWARDED_FOR": "1.1.1.1, 2a00:1450::1"}, IN_ORDER),
        (1, "127.0.0.1", {"HOST": PROBED}, None),
        (1, "127.0.0.1", {}, PRIVATE_VISITOR),
        (1, "127.0.0.1", {"HOST": "127.0.0.1", "X_FORWARDED_HOST": OPEN_HOST}, PRIVATE_VISITOR),
        (1, "127.0.0.1", {"HOST": f"{OPEN_HOST.upper()}:443"}, PRIVATE_VISITOR),
        (1, "127.0.0.1", {"X_FORWARDED_FOR": "9.9.9.9, 10.0.0.2"}, PRIVATE_VISITOR),
        (1, "127.0.0.1", {"X_FORWARDED_FOR": "unknown"}, PRIVATE_VISITOR),
        # Fewer than are counted.
        (2, "10.0.0.2", {"X_FORWARDED_FOR": "9.9.9.9"}, TOO_MANY_HOPS),
        (3, "10.0.0.2", {"X_FORWARDED_FOR": "9.9.9.9, 8.8.8.8"}, TOO_MANY_HOPS),
        (2, "10.0.0.2", {"X_FORWARDED_FOR": "9.9.9.9, 10.0.0.3"}, IN_ORDER),
        # Past the proxy.
        (1, "9.9.9.9", {}, PAST_THE_PROXY),
        (1, "9.9.9.9", {"X_FORWARDED_FOR": "8.8.8.8"}, PAST_THE_PROXY),
        (1, "2a00:1450::1", {"FORWARDED": "for=8.8.8.8"}, PAST_THE_PROXY),
    ],
)
def test_what_a_request_shows(hops: int, peer: str, headers: dict[str, str], shown: str | None) -> None:
    """A proxy not counted, one too many, a visitor past the proxy; a probe from within shows nothing."""
    environ = {"REMOTE_ADDR": peer, "HTTP_HOST": OPEN_HOST} | {f"HTTP_{k}": v for k, v in headers.items()}
    sight = rules(hops).look(environ)
    assert (sight.kind if sight else None) == shown


@pytest.mark.parametrize("public_host", [None, "localhost", "127.0.0.1", "192.168.1.2"])
def test_where_no_name_is_public_nobody_is_missed(public_host: str | None) -> None:
    """A service for one's own network has private visitors, and that is no problem."""
    environ = {"REMOTE_ADDR": "192.168.1.7", "HTTP_HOST": public_host or "any"}
    assert rules(0, public_host=public_host).look(environ) is None


def test_a_stranger_is_told_by_his_network() -> None:
    """What is stored for a week is a network, not a person's address."""
    sight = rules(1).look({"REMOTE_ADDR": "9.9.9.9"})
    assert sight == ProxyObservation(PAST_THE_PROXY, "9.9.9.0/24")


class TestWatch:
    """Two processes over one database."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def process(self, each_database: Database, clock: Clock) -> Callable[..., ProxyWatch]:
        def make(settings: str = "as they are") -> ProxyWatch:
            return ProxyWatch(rules(1), settings=settings, meta=KeyValue(each_database), clock=clock)

        return make

    def test_all_processes_tell_what_one_saw(self, process: Callable[..., ProxyWatch]) -> None:
        """The one that saw it at once, the others when it has told them; never to strangers."""
        one, other = process(), process()
        one.note(ProxyObservation(PAST_THE_PROXY, "9.9.9.0/24"))
        assert [problem.code for problem in one.problems()] == [PAST_THE_PROXY]
        assert other.problems() == []
        one.exchange()
        (problem,) = other.problems()
        assert "9.9.9.0/24" in problem.sentence
        assert not problem.public

    def test_other_settings_begin_anew(self, process: Callable[..., ProxyWatch]) -> None:
        """Once PROXY_HOPS was corrected, what was seen before says nothing."""
        before = process()
        before.note(ProxyObservation(UNCOUNTED, "127.0.0.1"))
        before.exchange()
        after = process("corrected")
        assert after.problems() == []
        after.note(ProxyObservation(IN_ORDER))
        after.exchange()
        assert process("corrected").problems() == []

    def test_it_is_forgotten_a_week_after_it_was_seen_last(
        self, process: Callable[..., ProxyWatch], clock: Clock
    ) -> None:
        """A proxy may be corrected as well."""
        one = process()
        for _ in range(3):
            one.note(ProxyObservation(PAST_THE_PROXY, "9.9.9.0/24"))
            one.exchange()
            clock.now += FORGOTTEN_MS
        assert process().problems() != []
        clock.now += 1
        assert process().problems() == one.problems() == []

    def test_a_visitor_of_the_own_network_is_no_fault(self, process: Callable[..., ProxyWatch]) -> None:
        """Only while nobody else was seen: with a wrong number no public address could ever show."""
        office, outside = process(), process()
        office.note(ProxyObservation(PRIVATE_VISITOR, "192.168.1.7"))
        office.exchange()
        assert [problem.code for problem in outside.problems()] == [PRIVATE_VISITOR]
        outside.note(ProxyObservation(IN_ORDER))
        outside.exchange()
        office.note(ProxyObservation(PRIVATE_VISITOR, "192.168.1.7"))
        office.exchange()
        assert office.problems() == outside.problems() == []

    def test_nothing_is_written_for_what_is_known(
        self, process: Callable[..., ProxyWatch], each_database: Database, clock: Clock
    ) -> None:
        """However many requests come: once a day."""
        one, meta = process(), KeyValue(each_database)
        for sight in (ProxyObservation(IN_ORDER), ProxyObservation(PAST_THE_PROXY, "9.9.9.0/24"), None):
            one.note(sight)
        one.exchange()
        kept = meta.get(KEY)
        clock.now += DAY_MS
        for number in range(100):
            one.note(ProxyObservation(PAST_THE_PROXY, f"9.9.{number}.0/24"))
            one.note(ProxyObservation(IN_ORDER))
            one.exchange()
        assert meta.get(KEY) == kept
        clock.now += 1
        one.note(ProxyObservation(IN_ORDER))
        one.exchange()
        assert meta.get(KEY) != kept
