"""A website of another origin, with the pages of this folder and the packages that npm installed."""

from pathlib import Path

from flask import Flask, Response, send_from_directory

from tests.clients.front_ends.cases import WORDING

HERE = Path(__file__).parent
FIELDS = f"""<input type="hidden" name="form" value="news">
    <label>E-mail <input name="email" type="email" required></label>
    <label>First name <input name="first_name"></label>
    <label><input name="consent" type="checkbox" value="version 1" required> {WORDING}</label>
    <button>Sign up</button>"""
AROUND = """<!doctype html><html lang="en"><head>{encoding}<title>A shop</title>
<link rel="icon" href="data:,">{head}</head><body><main><h1>A shop</h1>{body}</main></body></html>"""


def html(page: str, service: str, encoding: str = '<meta charset="utf-8">') -> str:
    """Return a page of the folder `pages`, with the packages' scripts and the settings in its head."""
    content = (HERE / "pages" / f"{page}.html").read_text()
    content = content.replace("SERVICE", service).replace("FIELDS", FIELDS)
    body = content.lstrip()
    head = ""
    while body.startswith(("<meta", "<script src", '<script type="module" src')):
        line, _, body = body.partition("\n")
        head += f"{line}\n"
    return AROUND.format(encoding=encoding, head=head, body=body)


def website(service: str) -> Flask:
    """Serve them: /<page>.html, /latin-1/<page>.html, and what npm installed under /lib."""
    app = Flask(__name__)

    @app.get("/<path:page>.html")
    def page(page: str) -> str:
        return html(page, service)

    @app.get("/latin-1/<path:page>.html")
    def in_latin_1(page: str) -> Response:
        encoded = html(page, service, encoding="").encode("iso-8859-1")
        return Response(encoded, content_type="text/html; charset=iso-8859-1")

    @app.get("/lib/<path:file>")
    def package(file: str) -> Response:
        return send_from_directory(HERE / "node_modules", file)

    @app.get("/commonjs.js")
    def commonjs() -> Response:
        return send_from_directory(HERE, "commonjs.js")

    return app
