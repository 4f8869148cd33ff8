"""Senders are told apart by what they can hardly change."""

import pytest

from services.access.network_place import NO_PUBLIC_ADDRESS, is_this_machine, place_of


def test_an_ipv4_address_belongs_to_its_24() -> None:
    """Neighbours share the network, not the address."""
    place = place_of("8.8.4.4")
    assert place.all == ("8.8.4.4", "8.8.4.0/24")
    assert place.public
    assert place_of("8.8.4.5").network == place.network
    assert place_of("8.8.5.4").network != place.network


def test_an_ipv6_address_belongs_to_its_64_and_its_48() -> None:
    """A household, and what a rented server comes with; spelled in one way only."""
    place = place_of("2a00:1450:4001:81b::200e")
    assert place.all == ("2a00:1450:4001:81b::200e", "2a00:1450:4001:081b::/64", "2a00:1450:4001::/48")
    assert place_of("2A00:1450:4001:081B:0:0:0:200E") == place
    assert place_of("2a00:1450:4001:81b::1").network == place.network
    other = place_of("2a00:1450:4001:1::1")
    assert (other.network == place.network, other.site == place.site) == (False, True)
    assert place_of("2a00:1450:4002:81b::200e").site != place.site


def test_ipv4_by_an_ipv6_socket_is_ipv4() -> None:
    """Otherwise all IPv4 visitors would share one /48."""
    assert place_of("::ffff:8.8.4.4") == place_of("8.8.4.4")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.17.0.1",
        "192.168.1.20",
        "100.64.0.1",
        "169.254.1.1",
        "224.0.0.1",
        "0.0.0.0",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "unknown",
        "8.8.4.4:80",
        "",
        None,
    ],
)
def test_what_is_no_public_address_is_one_place(address: str | None) -> None:
    """All addresses that are not public share one limit, instead of having none."""
    place = place_of(address)
    assert place.all == (NO_PUBLIC_ADDRESS,)
    assert not place.public


@pytest.mark.parametrize(
    ("address", "is_it"),
    [
        ("127.0.0.1", True),
        ("127.8.0.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("8.8.4.4", False),
        ("localhost", False),
        (None, False),
    ],
)
def test_this_machine_is_known(address: str | None, is_it: bool) -> None:
    """Only loopback addresses count: a name or a private network may be anybody's."""
    assert is_this_machine(address) is is_it
