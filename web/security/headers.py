"""The security headers of every answer: fixed strings, except where a form or its captcha needs more.

Any site may frame the pages for visitors, since these neither read nor set a cookie: a framed form gives an
attacker nothing that a form of their own would not. All other pages refuse every frame.
"""

import re
from collections.abc import Iterable, Mapping

from flask import Flask, Response, current_app, request

from services.forms.form import Form
from services.protection.providers import Provider
from web.security.addresses import allowed_origins, known_base_url

ONE_YEAR = 31_536_000
# By path and not by view, because a 404 below these paths is shown to visitors as well.
VISITORS_PATHS = re.compile(r"/(?:subscribe|thank-you|forms/.*)", re.DOTALL)
# A form's thank-you page may redirect further to an unknown host: to www, or as a short link does.
ANY_ORIGIN = ("http:", "https:")

NO_SOURCES: Mapping[str, tuple[str, ...]] = {}
BASE_DIRECTIVES = {
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
    """Return the Content-Security-Policy of a page whose forms may lead to these origins besides our own.

    Chromium applies form-action also to every redirect after a form post:
    https://www.w3.org/TR/CSP3/#directive-form-action. A page that may be `framed` has no frame-ancestors at
    all, since `*` matches no page that was opened from a file:
    https://www.w3.org/TR/CSP3/#match-url-to-source-expression
    """
    directives = dict(BASE_DIRECTIVES)
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
    """Let the form that an admin's page shows as a preview lead to its own sites as well."""
    answer.headers["Content-Security-Policy"] = content_policy(
        {*allowed_origins(current_app.config), *form.redirects}
    )


def allow_visitors_form(answer: Response, captcha: Provider | None = None) -> None:
    """Let a visitor's page with a form lead to any thank-you page, and load the form's captcha."""
    sources = captcha.sources if captcha else NO_SOURCES
    answer.headers["Content-Security-Policy"] = content_policy(ANY_ORIGIN, sources, framed=True)
    if captcha:
        # The provider recognises the site by our host, which its widget learns anyway; it sees no path.
        answer.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"


def install(app: Flask) -> None:
    """Add the security headers to every answer, except those that its view has set."""
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
        # Without PUBLIC_BASE_URL the request's own scheme decides: only its sender sees the answer.
        https = (known_base_url() or request.root_url).startswith("https://")
        wanted = for_https if https else fixed
        if VISITORS_PATHS.fullmatch(request.path):
            wanted = wanted | {"Content-Security-Policy": visitors_policy}
        already_set = {name.lower() for name in answer.headers.keys()}  # noqa: SIM118 - it yields pairs
        for name, value in wanted.items():
            if name.lower() not in already_set:
                answer.headers.add(name, value)
        return answer
