"""Several sign-ups of one contact in one body."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.delivery.kinds.sign_up.merge import Merged
from services.delivery.kinds.sign_up.merge import merge as merge_changes
from services.delivery.payload import ContactChange, TimedChange
from services.submission.custom_fields import fold

NOON = 1_790_000_000_000


def wish(*lists: str, **fields: Any) -> dict[str, Any]:
    return {"email_address": "ann@example.org", "list_memberships": list(lists), **fields}


def timed(number: int, stored: dict[str, Any], received_at: int) -> TimedChange:
    return TimedChange(number, received_at, ContactChange.read(stored))


def younger(*wishes: dict[str, Any]) -> list[TimedChange]:
    return [timed(10 + number, each, NOON + number) for number, each in enumerate(wishes, 1)]


def merge(stored: dict[str, Any], received_at: int, others: list[TimedChange]) -> Merged:
    return merge_changes([timed(10, stored, received_at), *others])


def numbered(first: int, last: int) -> list[str]:
    return [f"list-{number}" for number in range(first, last + 1)]


def test_a_sign_up_by_itself_stays_as_it_is() -> None:
    """Nothing is carried, and nothing is added to its body."""
    alone = merge(wish("a", first_name="Ann"), NOON, [])
    assert (alone.change.document(), alone.carried) == (wish("a", first_name="Ann"), ())


def test_lists_are_united_and_each_is_named_once() -> None:
    """Whoever joined two lists is on both afterwards."""
    merged = merge(wish("a", "b"), NOON, younger(wish("b", "c"), wish("a", "d")))
    assert list(merged.change.list_ids) == ["a", "b", "c", "d"]
    assert merged.carried == (11, 12)


def test_the_newest_value_that_says_something_wins() -> None:
    """An empty field of a later form takes nothing away."""
    merged = merge(
        wish("a", first_name="Ann", last_name="Old", phone_number="1", birthday_month=5),
        NOON,
        younger(wish("a", last_name="New", phone_number=""), wish("a", first_name=None, job_title="Cook")),
    )
    assert merged.change.document() == wish(
        "a", first_name="Ann", last_name="New", phone_number="1", birthday_month=5, job_title="Cook"
    )


def test_which_value_is_newest_is_told_by_when_it_came_in() -> None:
    """A sign-up that waited in the spool is stored behind one that came later."""
    spooled = timed(11, wish("b", first_name="Spooled", last_name="Old"), NOON - 60_000)
    latest = timed(12, wish("a", last_name="Latest"), NOON + 1)
    merged = merge(wish("a", first_name="Ann"), NOON, [latest, spooled])
    assert merged.change.document() == wish("b", "a", first_name="Ann", last_name="Latest")
    assert merged.carried == (12, 11)


def test_custom_fields_are_united_and_the_newest_value_of_each_wins() -> None:
    """They are told apart by their name, in whatever spelling; an empty value takes nothing away."""
    merged = merge(
        wish("a", custom_fields={"Shoe size": "1", "y": "1", "w": "1"}),
        NOON,
        younger(wish("a"), wish("a", custom_fields={"shoe_size": "2", "y": "", "z": ["2", "3"]})),
    )
    assert merged.change.fields.custom_fields == {"shoe_size": "2", "y": "1", "w": "1", "z": ["2", "3"]}


def test_tags_are_united_and_made_where_one_of_both_may() -> None:
    """A stranger's tag stays a stranger's, beside those of a shop."""
    merged = merge(
        wish("a", tags={"x": False, "y": False}), NOON, younger(wish("a", tags={"y": True, "z": True}))
    )
    assert merged.change.tags == {"x": False, "y": True, "z": True}


def test_the_newest_street_address_wins_as_a_whole() -> None:
    """Half of one and half of another would be nobody's address."""
    old, new = {"kind": "home", "street": "1 Old Rd", "city": "Here"}, {"kind": "home", "street": "2 New Rd"}
    merged = merge(wish("a", street_address=old), NOON, younger(wish("a", street_address=new)))
    assert merged.change.fields.properties["street_address"] == new


def test_merging_ends_before_the_first_that_would_exceed_fifty_lists() -> None:
    """A later one that would fit must not overtake it."""
    merged = merge(
        wish(*numbered(1, 30)),
        NOON,
        younger(wish(*numbered(31, 50)), wish("one-more", first_name="X"), wish("list-1", first_name="Y")),
    )
    assert merged.change.document() == wish(*numbered(1, 50))
    assert merged.carried == (11,)


def test_merging_ends_before_the_first_that_would_exceed_fifty_custom_fields() -> None:
    """The vendor takes as many in one call."""
    fields = {str(number): "v" for number in range(50)}
    merged = merge(wish("a", custom_fields=fields), NOON, younger(wish("a", custom_fields={"more": "v"})))
    assert merged.carried == ()


def test_merging_ends_before_the_first_that_would_exceed_fifty_tags() -> None:
    """The vendor takes as many in one activity."""
    tags = {str(number): True for number in range(50)}
    merged = merge(wish("a", tags=tags), NOON, younger(wish("a", tags={"more": True})))
    assert merged.carried == ()


def test_what_was_stored_is_not_changed() -> None:
    """The leader may have to go alone later, with its own wish only."""
    leader, other = wish("a"), wish("b")
    merge(leader, NOON, younger(other))
    assert (leader, other) == (wish("a"), wish("b"))


NAMES = st.sampled_from([*(f"Field {number}" for number in range(30)), "field_1", "FIELD 2"])
WISHES = st.builds(
    lambda fields, tags: wish("a", custom_fields=fields, tags=tags),
    st.dictionaries(NAMES, st.sampled_from(["", "old", "new"]), max_size=30),
    st.dictionaries(st.sampled_from([f"tag {number}" for number in range(70)]), st.booleans(), max_size=40),
)


@given(st.lists(WISHES, min_size=1, max_size=6))
def test_whatever_is_merged_nothing_that_was_said_is_lost_and_no_limit_is_passed(
    wishes: list[dict[str, Any]],
) -> None:
    """Every tag of every wish that was carried is there; each field holds the newest that was said in it."""
    merged = merge(wishes[0], NOON, younger(*wishes[1:]))
    carried = [wishes[0], *wishes[1 : 1 + len(merged.carried)]]
    tags = merged.change.tags
    assert set(tags) == {name for each in carried for name in each["tags"]}
    for name, made in tags.items():
        assert made is any(each["tags"].get(name, False) for each in carried)
    if len(carried) > 1:
        said = {fold(n): v for each in carried for n, v in each["custom_fields"].items() if v}
        sent = {fold(name): value for name, value in merged.change.fields.custom_fields.items() if value}
        assert sent == said
        assert len(tags) <= 50
