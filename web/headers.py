"""The security headers of every answer: fixed strings, but for what a form and its captcha need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flask import Flask, Response, current_app, request

from services import Form, Provider
from web.addresses import allowed_origins, known_base_url

ONE_YEAR = 31_536_000


NO_SOURCES: Mapping[str, tuple[str, ...]] = {}
OURS = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "script-src": "'self'",
    "connect-src": "'self'",
}


def content_policy(
    form_targets: Iterable[str], captcha_sources: Mapping[str, tuple[str, ...]] = NO_SOURCES
) -> str:
    """The Content-Security-Policy of a page whose forms may lead to these origins besides our own.

    Chromium applies form-action also to the redirect after a form post:
    https://www.w3.org/TR/CSP3/#directive-form-action
    """
    directives = dict(OURS)
    for name, sources in captcha_sources.items():
        directives[name] = " ".join(filter(None, (directives.get(name), *sources)))
    directives |= {
        "form-action": " ".join(("'self'", *sorted(form_targets))),
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


def allow_form(answer: Response, form: Form, captcha: Provider | None = None) -> None:
    """Let a page that shows the form lead to the form's own sites, and draw its captcha, as well."""
    answer.headers["Content-Security-Policy"] = content_policy(
        {*allowed_origins(current_app.config), *form.redirects},
        captcha.sources if captcha else NO_SOURCES,
    )
    if captcha:
        # Our host, which the widget is told anyway, so that its provider knows the site; no page, no visitor.
        answer.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"


def install(app: Flask) -> None:
    """Add what a view has not set itself."""
    policy = content_policy(allowed_origins(app.config))

    fixed = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        # Not no-referrer: the CSRF check wants the referrer over HTTPS.
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    for_https = fixed | {"Strict-Transport-Security": f"max-age={ONE_YEAR}"}

    @app.after_request
    def add_headers(answer: Response) -> Response:
        # Where the address is not known, the request says how it came; nobody else is told.
        https = (known_base_url() or request.root_url).startswith("https://")
        wanted = for_https if https else fixed
        given = {name.lower() for name in answer.headers.keys()}  # noqa: SIM118 - iterating yields pairs
        for name, value in wanted.items():
            if name.lower() not in given:
                answer.headers.add(name, value)
        return answer
