"""The baseline: a Flask view that echoes a JSON post, served by as many workers and threads as the app."""

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

# gunicorn reads these settings from this module, in place of gunicorn.conf.py.
worker_class = "gthread"
threads = 8
reuse_port = True
control_socket_disable = True


def create_app() -> Flask:
    """Return a bare Flask that answers a post with its own body."""
    app = Flask(__name__)

    @app.get("/")
    def home() -> ResponseReturnValue:
        return "ok"

    @app.post("/subscribe")
    def echo() -> ResponseReturnValue:
        return jsonify(request.get_json()), 202

    return app
