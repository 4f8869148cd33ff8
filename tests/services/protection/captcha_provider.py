"""A stand-in for the providers of captchas, behind a real socket: what it says, and how it fails."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.serving import make_server

SITE_KEY = "site-key"
SECRET_KEY = "secret-key"


@dataclass
class CaptchaProvider:
    """Believes each answer that begins with `good` once. `busy` is set while a slow call is under way."""

    verify_url: str = ""
    hostname: str | None = "signup.example.org"
    action: str | None = None
    delay: float = 0
    instead: ResponseReturnValue | None = None
    used_code: str = "timeout-or-duplicate"
    asked: list[dict[str, str]] = field(default_factory=list)
    busy: threading.Event = field(default_factory=threading.Event)

    def verdict(self, sent: dict[str, str]) -> dict[str, Any]:
        if sent.get("secret") != SECRET_KEY:
            return {"success": False, "error-codes": ["invalid-input-secret"]}
        if not sent.get("response", "").startswith("good"):
            return {"success": False, "error-codes": ["invalid-input-response"]}
        if sent["response"] in [each["response"] for each in self.asked]:
            return {"success": False, "error-codes": [self.used_code]}
        told = {"hostname": self.hostname, "action": self.action}
        return {"success": True, "error-codes": []} | {k: v for k, v in told.items() if v is not None}


@contextmanager
def served_provider() -> Iterator[CaptchaProvider]:
    provider, app = CaptchaProvider(), Flask(__name__)

    @app.post("/siteverify")
    def siteverify() -> ResponseReturnValue:
        sent = request.form.to_dict()
        answer = provider.verdict(sent)
        provider.asked.append(sent)
        provider.busy.set()
        time.sleep(provider.delay)
        return jsonify(answer) if provider.instead is None else provider.instead

    @app.post("/elsewhere")
    def elsewhere() -> ResponseReturnValue:
        return jsonify(success=True)

    server = make_server("127.0.0.1", 0, app, threaded=True)
    # Its slow answers need not be waited for at the end.
    vars(server).update(daemon_threads=True, block_on_close=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    provider.verify_url = f"http://127.0.0.1:{server.server_port}/siteverify"
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
