"""The types of single values: how the text of a variable is read and checked."""

import ipaddress
from typing import Annotated
from urllib.parse import urlsplit

import idna
from pydantic import AfterValidator, BeforeValidator


def _comma_list(value: object) -> object:
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


def _without_slash(value: object) -> object:
    return value.strip().rstrip("/") if isinstance(value, str) else value


def _origin(value: str) -> str:
    parts = urlsplit(value)
    # No browser sends an origin with a blank in it.
    if (
        " " in value
        or parts.scheme not in {"http", "https"}
        or not parts.netloc
        or parts.path.strip("/")
        or parts.query
    ):
        raise ValueError(f"“{value}” is not an origin like https://www.example.org")
    return f"{parts.scheme}://{_place_in_ascii(parts.netloc)}".lower()


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"“{value}” is not an address like https://signup.example.org")
    return value.replace(parts.netloc, _place_in_ascii(parts.netloc), 1)


def _place_in_ascii(place: str) -> str:
    """Return host and port with a non-ASCII name as browsers write it: https://url.spec.whatwg.org/#idna."""
    if place.isascii():
        return place
    name, colon, port = place.partition(":")
    try:
        return f"{idna.encode(name, uts46=True).decode()}{colon}{port}"
    except idna.IDNAError:
        raise ValueError(
            f"“{name}” is no name that browsers can look up; write it as your browser shows it"
        ) from None


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError(f"“{value}” is not an address or a network such as 10.1.0.0/16") from None


def _list_id(value: str) -> str:
    if len(value) != 36 or value.count("-") != 4:
        raise ValueError(f"“{value}” is not a list id; `flask lists` and GET /lists show the ids")
    return value.lower()


CommaList = Annotated[tuple[str, ...], BeforeValidator(_comma_list)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], BeforeValidator(_comma_list)]
ListIds = Annotated[tuple[Annotated[str, AfterValidator(_list_id)], ...], BeforeValidator(_comma_list)]
Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(_comma_list)]
Url = Annotated[str, BeforeValidator(_without_slash), AfterValidator(_http_url)]
