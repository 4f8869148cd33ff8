"""The account's lists, fetched seldom and served always."""

from __future__ import annotations

import pytest

from services.constant_contact.errors import Unreachable
from services.errors import ListsUnavailable
from tests.services.conftest import House
from tests.services.vendor import EVENTS, NEWSLETTER


def test_all_pages_are_fetched(house: House) -> None:
    """The vendor's next links are followed to the end."""
    view = house.lists.read()
    assert view.entries == (NEWSLETTER, EVENTS)
    assert (view.fetched_at, view.stale) == (house.clock.now, False)


def test_within_five_minutes_no_call_is_made(house: House) -> None:
    """The second reader is served from the store; after five minutes the vendor is asked again."""
    house.lists.read()
    house.clock.now += 299_000
    house.lists.read()
    assert len(house.vendor.pages) == 2
    house.clock.now += 2_000
    house.lists.read()
    assert len(house.vendor.pages) == 4


def test_a_refresh_asks_at_once(house: House) -> None:
    """?refresh=1 fetches the lists although the cache is fresh."""
    house.lists.read()
    house.lists.read(refresh=True)
    assert len(house.vendor.pages) == 4


def test_lists_are_served_stale_while_the_vendor_is_away(house: House) -> None:
    """The last known lists come with the time they were fetched and the mark "stale"."""
    fetched_at = house.lists.read().fetched_at
    house.vendor.lists_error = Unreachable()
    house.clock.now += 3_600_000
    view = house.lists.read()
    assert (view.entries, view.fetched_at, view.stale) == ((NEWSLETTER, EVENTS), fetched_at, True)


def test_lists_never_fetched_are_unavailable_in_plain_words(house: House) -> None:
    """With an empty cache the error says why the lists cannot be fetched."""
    house.vendor.lists_error = Unreachable()
    with pytest.raises(ListsUnavailable, match="cannot be reached"):
        house.lists.read()


def test_fetching_lists_uses_the_shared_budget(house: House) -> None:
    """Each page is a call that counts, and during a pause none is made."""
    house.lists.read()
    assert house.quota.read().used == 2
    house.quota.pause(until=house.clock.now + 60_000, reason="away")
    assert house.lists.read(refresh=True).stale
    assert len(house.vendor.pages) == 2


def test_the_background_fetches_once_an_hour(house: House) -> None:
    """Cached lists are not fetched for an hour, and never without a connection."""
    house.lists.keep_fresh()
    assert house.vendor.pages == [], "just connected: the dashboard asks"
    house.clock.now += 10_000
    house.lists.keep_fresh()
    house.clock.now += 3_599_000
    house.lists.keep_fresh()
    assert len(house.vendor.pages) == 2
    house.clock.now += 2_000
    house.connections.disconnect(now=house.clock.now)
    house.lists.keep_fresh()
    assert len(house.vendor.pages) == 2


def test_pages_that_do_not_end_are_no_lists(house: House) -> None:
    """After a hundred pages the fetch fails and the cache stays: half of the lists must not pass for all."""
    known = house.lists.read().entries
    house.clock.now += 3_600_001
    house.vendor.endless = True
    house.vendor.pages.clear()
    assert house.lists.read(refresh=True).stale
    assert len(house.vendor.pages) == 2, "the first repeated link"
    house.vendor.pages.clear()
    assert house.lists.read().entries == known


def test_lists_that_cannot_be_had_are_asked_for_ever_more_seldom(house: House) -> None:
    """A failed fetch may cost a hundred calls, so the pause grows to an hour."""
    house.clock.now += 10_000
    house.vendor.lists_error = Unreachable()
    ends = house.clock.now + 24 * 3_600_000
    while house.clock.now < ends:
        house.lists.keep_fresh()
        house.clock.now += 30_000
    assert 24 <= len(house.vendor.pages) <= 34
    house.vendor.lists_error = None
    house.clock.now += 3_600_000
    house.lists.keep_fresh()
    assert house.lists.known() is not None
