"""Compressed answers: styles, scripts and pages, but no page that another site could make a browser ask for.

A page shows what its address says next to the session's CSRF token. Whoever can make an admin's browser ask
for it again and again, and sees how long the answers are, could guess the token letter by letter from the
compressed length (https://www.breachattack.com/). So a page is compressed only where the browser says by
Sec-Fetch-Site that our own page or the person asked for it. Styles and scripts hold no secret.
"""

import gzip
from functools import lru_cache

from flask import Flask, Response, request

OWN_REQUESTS = frozenset({"same-origin", "none"})
PAGE = "text/html"
FILES = frozenset({"text/css", "text/javascript"})
# Shorter answers fit into one packet anyway.
SHORTEST = 1_400
PAGE_LEVEL, FILE_LEVEL = 6, 9


def install(app: Flask) -> None:
    """Compress what is worth it for browsers that take gzip."""

    @app.after_request
    def compress(answer: Response) -> Response:
        file = answer.mimetype in FILES
        own_page = answer.mimetype == PAGE and request.headers.get("Sec-Fetch-Site") in OWN_REQUESTS
        if request.method != "GET" or answer.status_code != 200 or not (file or own_page):
            return answer
        answer.vary.add("Accept-Encoding")
        if "Content-Encoding" in answer.headers or not request.accept_encodings["gzip"]:
            return answer
        answer.direct_passthrough = False
        text = answer.get_data()
        if len(text) < SHORTEST:
            return answer
        answer.set_data(_file(text) if file else gzip.compress(text, PAGE_LEVEL, mtime=0))
        answer.headers["Content-Encoding"] = "gzip"
        answer.headers.pop("Accept-Ranges", None)
        if (tag := answer.get_etag()[0]) is not None:
            answer.set_etag(tag, weak=True)
        return answer


@lru_cache(maxsize=32)
def _file(text: bytes) -> bytes:
    return gzip.compress(text, FILE_LEVEL, mtime=0)
