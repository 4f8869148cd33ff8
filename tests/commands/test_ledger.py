"""What an operator hands to a person who asks: everything that person agreed to, and how that is known."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from settings import Settings
from tests.web.forms import LIST_ID, SHOP, make

POST = {"form": "spring-news", "email": "ann@example.org", "first_name": "Ann", "source": "footer"}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(Settings.from_env({"DATA_DIR": str(tmp_path), "DELIVERY": "off"}))
    yield app
    app.extensions["parts"].database.close()


def test_a_persons_export_is_the_whole_ledger(app: Flask) -> None:
    """Wording and version that were agreed to, time, page, referrer, address, browser, form and source."""
    fields = [{"name": "sms_number", "label": "Mobile"}, {"name": "first_name", "label": "Name"}]
    make(app, fields=fields, sms_wording="Yes, text me.")
    browser = {"Referer": f"{SHOP}/spring", "User-Agent": "Firefox"}
    sent = POST | {"consent": "version 1", "referrer": "https://search.example/?q=x"}
    sent |= {"sms_number": "+1 781 555 1212", "sms_consent": "version 1"}
    make(app, fields=fields, wording="Yes, every day.", sms_wording="Yes, text me daily.")
    app.test_client().post("/subscribe", json=sent, headers=browser)
    app.test_client().post("/subscribe", json=sent | {"email": "bob@example.org"}, headers=browser)
    words = ["signups", "export", "--format", "jsonl", "--email", " Ann@Example.org"]
    (line,) = app.test_cli_runner().invoke(args=words).stdout.splitlines()
    told = json.loads(line)
    assert {name: told[name] for name in told if told[name] is not None} == {
        "id": told["id"],
        "received_at": told["received_at"],
        "email": "ann@example.org",
        "first_name": "Ann",
        "custom_fields": {},
        "list_ids": [LIST_ID],
        "tags": [],
        "source": "footer",
        "form": "spring-news",
        "consent_version": 1,
        "consent": "Yes, write to me.",
        "consent_sent": "version 1",
        "page": f"{SHOP}/spring",
        "referrer": "https://search.example/",
        "network_address": "127.0.0.1",
        "user_agent": "Firefox",
        "asked_by": "form",
        "sms_number": "+17815551212",
        "sms_country": "US",
        "sms_consent": "Yes, text me.",
        "sms_consent_version": 1,
        "sms_consent_sent": "version 1",
        "sms_page": f"{SHOP}/spring",
        "state": "ready",
        "attempts": 0,
    }
