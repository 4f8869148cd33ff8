"""The names and values of a posted HTML form, whatever encoding its page is in."""

from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from flask import request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import BadRequest
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from services.submission.values.encodings import text_of

# A browser writes the form's encoding there: https://html.spec.whatwg.org/#attr-fe-name-charset
CHARSET_FIELD = b"_charset_"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MOST_PARTS = 1_000

_Raw = tuple[bytes, bytes, str | None]


def url_encoded(body: bytes) -> list[tuple[str, str]]:
    """Read the pairs of application/x-www-form-urlencoded; the encoding of the content type comes last.

    https://url.spec.whatwg.org/#urlencoded-parsing
    """
    raw = [_pair(part) for part in body.removeprefix(BYTE_ORDER_MARK).split(b"&") if part]
    return _as_text(raw, _declared(request.headers.get("Content-Type", "")))


def multipart(body: bytes) -> list[tuple[str, str]]:
    """Read the fields of multipart/form-data (RFC 7578), without files.

    Raises:
        BadRequest: the body is not multipart/form-data.
        RequestEntityTooLarge: it has too many parts.
    """
    try:
        try:
            raw = list(_fields(body))
        except UnicodeDecodeError:
            # The names are in the page's encoding, and Werkzeug reads them as UTF-8 only.
            raw = list(_fields(text_of(body).encode()))
    except ValueError:
        raise BadRequest from None
    return _as_text(raw, None)


def _fields(body: bytes) -> Iterator[_Raw]:
    boundary = request.mimetype_params.get("boundary", "").encode("ascii", errors="replace")
    if not boundary:
        raise BadRequest
    decoder = MultipartDecoder(boundary, max_parts=MOST_PARTS)
    decoder.receive_data(body)
    decoder.receive_data(None)
    name: str | None = None
    headers, value = Headers(), b""
    while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
        if isinstance(event, Field | File):
            # No sign-up asks for a file; an empty one comes from an unused input.
            name = event.name if isinstance(event, Field) else None
            headers, value = event.headers, b""
        elif isinstance(event, Data):
            value += event.data
            if not event.more_data and name is not None:
                yield name.encode(errors="surrogatepass"), value, _declared(headers.get("Content-Type", ""))


def _pair(part: bytes) -> _Raw:
    name, _, value = part.partition(b"=")
    return _unquoted(name), _unquoted(value), None


def _unquoted(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


def _declared(content_type: str) -> str | None:
    return parse_options_header(content_type)[1].get("charset")


def _as_text(raw: list[_Raw], declared: str | None) -> list[tuple[str, str]]:
    charset = next((value for name, value, _ in raw if name == CHARSET_FIELD), b"")
    declared = charset.decode("ascii", errors="replace") or declared
    return [(text_of(name, declared), text_of(value, own or declared)) for name, value, own in raw]
