"""The baseline: the least that Flask can do with a JSON post, served by a gunicorn of the same shape."""

from __future__ import annotations

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

# gunicorn reads these from here, in place of gunicorn.conf.py.
worker_class = "gthread"
threads = 8
reuse_port = True
control_socket_disable = True


def create_app() -> Flask:
    """A bare Flask that answers a post with its own body."""
    app = Flask(__name__)

    @app.get("/")
    def home() -> ResponseReturnValue:
        return "ok"

    @app.post("/subscribe")
    def echo() -> ResponseReturnValue:
        return jsonify(request.get_json()), 202

    return app
