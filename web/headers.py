"""The security headers of every answer: fixed strings, for there is no script and no foreign content."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask, Response, current_app

from services import Form
from web.addresses import allowed_origins, base_url

ONE_YEAR = 31_536_000


def content_policy(form_targets: Iterable[str]) -> str:
    """The Content-Security-Policy of a page whose forms may lead to these origins besides our own.

    Chromium applies form-action also to the redirect after a form post:
    https://www.w3.org/TR/CSP3/#directive-form-action
    """
    targets = " ".join(("'self'", *sorted(form_targets)))
    return (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
        f"form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
    )


def allow_form(answer: Response, form: Form) -> None:
    """Let a page that shows the form lead to the form's own sites as well."""
    answer.headers["Content-Security-Policy"] = content_policy(
        {*allowed_origins(current_app.config), *form.redirects}
    )


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
        wanted = for_https if base_url().startswith("https://") else fixed
        given = {name.lower() for name in answer.headers.keys()}  # noqa: SIM118 - iterating yields pairs
        for name, value in wanted.items():
            if name.lower() not in given:
                answer.headers.add(name, value)
        return answer
