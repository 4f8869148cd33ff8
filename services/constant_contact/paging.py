"""Follow the vendor's links from page to page, on its own host only."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from services.constant_contact.errors import Unreachable

# 1,000 lists are two pages, 100 custom fields one; tags have no limit, and 50,000 are enough.
MOST_PAGES = 100
ENDLESS = "Constant Contact's pages do not come to an end, so what they hold is not used."


class Pages:
    """The pages of one list: counted, and each link followed once."""

    def __init__(self) -> None:
        self._links: set[str] = set()

    def follow(self, link: str | None) -> str | None:
        """Return the link of the page to ask for next, None at the end.

        Raises:
            Unreachable: a hundred pages were read, or that link was followed before. A part must not
                count as the whole list: what is missing in it would count as deleted.
        """
        if link is None:
            return None
        if link in self._links or len(self._links) + 1 >= MOST_PAGES:
            raise Unreachable(detail="paging does not end", words=ENDLESS)
        self._links.add(link)
        return link


def next_link(answer: Mapping[str, object], base_url: str) -> str | None:
    """Return the path and query of the next page, as the answer names it; None at the last one.

    Raises:
        Unreachable: the answer names something that is no page of this API.
    """
    links = answer.get("_links")
    following = links.get("next") if isinstance(links, Mapping) else None
    href = following.get("href") if isinstance(following, Mapping) else None
    if not isinstance(href, str) or not href:
        return None
    return _path(href, base_url)


def address_of(page: str, base_url: str) -> str:
    """Return the URL of that page, on the host of `base_url` in any case. Raises as `next_link` does."""
    base = urlsplit(base_url)
    return f"{base.scheme}://{base.netloc}{_path(page, base_url)}"


def _path(href: str, base_url: str) -> str:
    """Return path and query only: whichever host a link names, the access token goes to the API's alone."""
    try:
        parts = urlsplit(href)
    except ValueError:
        raise _astray() from None
    path = parts.path
    plain = path.isascii() and path.isprintable() and not any(sign in path for sign in "\\@ ")
    inside = path.startswith(f"{urlsplit(base_url).path}/") and "//" not in path and "/../" not in f"{path}/"
    if not plain or not inside or not parts.query.isprintable():
        raise _astray()
    return f"{path}?{parts.query}" if parts.query else path


def _astray() -> Unreachable:
    return Unreachable(
        detail="a next link that leads elsewhere",
        words="Constant Contact's address answered with a link that leads elsewhere; it was not followed.",
    )
