"""An adapter by which a `requests.Session` calls a WSGI application in this process, without a socket.

The app reaches its built-in sandbox through it, with the same client code as the vendor.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from werkzeug.test import Client
from werkzeug.wrappers import Response


class InProcessAdapter(HTTPAdapter):
    """A transport whose server is a WSGI application.

    Time-outs, TLS and proxies are ignored. `dropped` is the exception that the application raises where a
    server would cut the connection.
    """

    def __init__(
        self, application: Any, *, dropped: type[Exception], depart: Callable[[], None] = lambda: None
    ) -> None:
        """`application` is any WSGI callable; `depart` is called before each request."""
        super().__init__()
        self._client = Client(application, Response, use_cookies=False)
        self._dropped = dropped
        self._depart = depart

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Answer the request. Raises requests.ConnectionError where the connection was cut."""
        self._depart()
        target = urlsplit(request.url or "")
        try:
            answer = self._client.open(
                target.path,
                query_string=target.query,
                method=request.method or "GET",
                headers=list(request.headers.items()),
                data=request.body or b"",
                base_url=f"{target.scheme}://{target.netloc}",
            )
            body = BytesIO(answer.get_data())
        except self._dropped as error:
            raise requests.ConnectionError("connection dropped", request=request) from error
        raw = HTTPResponse(
            body, status=answer.status_code, headers=dict(answer.headers), preload_content=False
        )
        return self.build_response(request, raw)
