"""The account's lists, fetched seldom and served always."""

import pytest

from services.constant_contact.errors import Unreachable
from services.errors import ListsUnavailable
from tests.services.conftest import System
from tests.services.vendor import EVENTS, NEWSLETTER


def test_all_pages_are_fetched(system: System) -> None:
    """The vendor's next links are followed to the end."""
    view = system.lists.read()
    assert view.entries == (NEWSLETTER, EVENTS)
    assert (view.fetched_at, view.stale) == (system.clock.now, False)


def test_within_five_minutes_no_call_is_made(system: System) -> None:
    """The second reader is served from the store; after five minutes the vendor is asked again."""
    system.lists.read()
    system.clock.now += 299_000
    system.lists.read()
    assert len(system.vendor.pages) == 2
    system.clock.now += 2_000
    system.lists.read()
    assert len(system.vendor.pages) == 4


def test_a_refresh_asks_at_once(system: System) -> None:
    """?refresh=1 fetches the lists although the cache is fresh."""
    system.lists.read()
    system.lists.read(refresh=True)
    assert len(system.vendor.pages) == 4


def test_lists_are_served_stale_while_the_vendor_is_away(system: System) -> None:
    """The last known lists come with the time they were fetched and the mark "stale"."""
    fetched_at = system.lists.read().fetched_at
    system.vendor.lists_error = Unreachable()
    system.clock.now += 3_600_000
    view = system.lists.read()
    assert (view.entries, view.fetched_at, view.stale) == ((NEWSLETTER, EVENTS), fetched_at, True)


def test_lists_never_fetched_are_unavailable_in_plain_words(system: System) -> None:
    """With an empty cache the error says why the lists cannot be fetched."""
    system.vendor.lists_error = Unreachable()
    with pytest.raises(ListsUnavailable, match="cannot be reached"):
        system.lists.read()


def test_fetching_lists_uses_the_shared_budget(system: System) -> None:
    """Each page is a call that counts, and during a pause none is made."""
    system.lists.read()
    assert system.quota.read().used == 2
    system.quota.pause(until=system.clock.now + 60_000, reason="away")
    assert system.lists.read(refresh=True).stale
    assert len(system.vendor.pages) == 2


def test_the_background_fetches_once_an_hour(system: System) -> None:
    """Cached lists are not fetched for an hour, and never without a connection."""
    system.lists.keep_fresh()
    assert system.vendor.pages == [], "just connected: the dashboard asks"
    system.clock.now += 10_000
    system.lists.keep_fresh()
    system.clock.now += 3_599_000
    system.lists.keep_fresh()
    assert len(system.vendor.pages) == 2
    system.clock.now += 2_000
    system.connections.disconnect(now=system.clock.now)
    system.lists.keep_fresh()
    assert len(system.vendor.pages) == 2


def test_pages_that_do_not_end_are_no_lists(system: System) -> None:
    """After a hundred pages the fetch fails and the cache stays: half of the lists must not pass for all."""
    known = system.lists.read().entries
    system.clock.now += 3_600_001
    system.vendor.endless = True
    system.vendor.pages.clear()
    assert system.lists.read(refresh=True).stale
    assert len(system.vendor.pages) == 2, "the first repeated link"
    system.vendor.pages.clear()
    assert system.lists.read().entries == known


def test_lists_that_cannot_be_had_are_asked_for_ever_more_seldom(system: System) -> None:
    """A failed fetch may cost a hundred calls, so the pause grows to an hour."""
    system.clock.now += 10_000
    system.vendor.lists_error = Unreachable()
    ends = system.clock.now + 24 * 3_600_000
    while system.clock.now < ends:
        system.lists.keep_fresh()
        system.clock.now += 30_000
    assert 24 <= len(system.vendor.pages) <= 34
    system.vendor.lists_error = None
    system.clock.now += 3_600_000
    system.lists.keep_fresh()
    assert system.lists.known() is not None
