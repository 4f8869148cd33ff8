"""Connect a deployment without a browser, page by page, as a browser would."""

import re
from html import unescape

import requests

from tests.end_to_end.processes import Deployment


def form_fields(page: str) -> dict[str, str]:
    """The hidden and prefilled fields of a page's form."""
    fields = {}
    for tag in re.findall(r"<input\b[^>]*>", page):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if "name" in attributes and attributes.get("type") not in {"submit", "radio", "checkbox"}:
            fields[attributes["name"]] = unescape(attributes.get("value", ""))
    return fields


def sign_in(deployment: Deployment) -> requests.Session:
    """A session that is signed in as admin."""
    browser = requests.Session()
    page = browser.get(f"{deployment.base}/admin/sign-in", timeout=10)
    fields = form_fields(page.text) | {"password": deployment.password}
    answer = browser.post(f"{deployment.base}/admin/sign-in", data=fields, timeout=10)
    assert answer.url == f"{deployment.base}/admin/", answer.text
    return browser


def connect(deployment: Deployment) -> requests.Session:
    """Sign in, press Connect, allow."""
    browser = sign_in(deployment)
    consent = browser.get(f"{deployment.base}/oauth/start", timeout=10)
    assert consent.url.startswith(f"{deployment.sandbox_base}/oauth2/default/v1/authorize")
    home = browser.post(consent.url, data=form_fields(consent.text) | {"decision": "allow"}, timeout=30)
    assert home.url == f"{deployment.base}/admin/", home.text
    return browser
