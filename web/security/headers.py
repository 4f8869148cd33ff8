"""The security headers of every answer: fixed strings, but for what a form and its captcha need.

Visitors' pages may be shown in a frame of any site, since they neither read nor set a cookie: whoever frames
one gains nothing that a form of their own would not give. All other pages refuse every frame.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from flask import Flask, Response, current_app, request

from services.forms.form import Form
from services.protection.providers import Provider
from web.security.addresses import allowed_origins, known_base_url

ONE_YEAR = 31_536_000
# By address and not by view: an address under these that leads nowhere answers visitors as well.
VISITORS_PATHS = re.compile(r"/(?:subscribe|thank-you|forms/.*)", re.DOTALL)
# A page of thanks may send its visitor on, from a bare name to www or by a short link, who knows where to.
ANYWHERE = ("http:", "https:")

NO_SOURCES: Mapping[str, tuple[str, ...]] = {}
OURS = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "script-src": "'self'",
    "connect-src": "'self'",
}


def content_policy(
    form_targets: Iterable[str],
    captcha_sources: Mapping[str, tuple[str, ...]] = NO_SOURCES,
    *,
    framed: bool = False,
) -> str:
    """The Content-Security-Policy of a page whose forms may lead to these origins besides our own.

    Chromium applies form-action also to every redirect after a form post:
    https://www.w3.org/TR/CSP3/#directive-form-action. A page that may be `framed` has no frame-ancestors at
    all, since `*` matches no page that was opened from a file:
    https://www.w3.org/TR/CSP3/#match-url-to-source-expression
    """
    directives = dict(OURS)
    for name, sources in captcha_sources.items():
        directives[name] = " ".join(filter(None, (directives.get(name), *sources)))
    directives |= {
        "form-action": " ".join(("'self'", *sorted(form_targets))),
        "base-uri": "'none'",
    }
    if not framed:
        directives["frame-ancestors"] = "'none'"
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


def allow_preview(answer: Response, form: Form) -> None:
    """Let an admin's page that shows the form lead to the form's own sites as well."""
    answer.headers["Content-Security-Policy"] = content_policy(
        {*allowed_origins(current_app.config), *form.redirects}
    )


def allow_visitors_form(answer: Response, captcha: Provider | None = None) -> None:
    """Let a visitor's page with a form lead to any page of thanks, and draw the form's captcha."""
    sources = captcha.sources if captcha else NO_SOURCES
    answer.headers["Content-Security-Policy"] = content_policy(ANYWHERE, sources, framed=True)
    if captcha:
        # Our host, which the widget is told anyway, so that its provider knows the site; no page, no visitor.
        answer.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"


def install(app: Flask) -> None:
    """Add what a view has not set itself."""
    policy = content_policy(allowed_origins(app.config))
    visitors_policy = content_policy(allowed_origins(app.config), framed=True)

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
        if VISITORS_PATHS.fullmatch(request.path):
            wanted = wanted | {"Content-Security-Policy": visitors_policy}
        given = {name.lower() for name in answer.headers.keys()}  # noqa: SIM118 - iterating yields pairs
        for name, value in wanted.items():
            if name.lower() not in given:
                answer.headers.add(name, value)
        return answer
