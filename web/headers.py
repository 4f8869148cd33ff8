"""The security headers of every answer: fixed strings, for there is no script and no foreign content."""

from __future__ import annotations

from flask import Flask, Response

from web.addresses import allowed_origins, base_url

ONE_YEAR = 31_536_000


def install(app: Flask) -> None:
    """Add what a view has not set itself."""
    # Chromium applies form-action also to the redirect after a form post, and our page of mistakes redirects
    # to the site that the form is from: https://www.w3.org/TR/CSP3/#directive-form-action
    form_targets = " ".join(("'self'", *allowed_origins(app.config)))
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
        f"form-action {form_targets}; base-uri 'none'; frame-ancestors 'none'"
    )

    @app.after_request
    def add_headers(answer: Response) -> Response:
        answer.headers.setdefault("Content-Security-Policy", policy)
        answer.headers.setdefault("X-Content-Type-Options", "nosniff")
        # Not no-referrer: the CSRF check wants the referrer over HTTPS.
        answer.headers.setdefault("Referrer-Policy", "same-origin")
        answer.headers.setdefault("Cache-Control", "no-store")
        if base_url().startswith("https://"):
            answer.headers.setdefault("Strict-Transport-Security", f"max-age={ONE_YEAR}")
        return answer
