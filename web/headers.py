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
