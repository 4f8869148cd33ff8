"""The front ends that are tried; the table in docs/forms.md is made from these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ADA = {"first_name": "Ada"}
ADA_LOVELACE = {"first_name": "Ada", "last_name": "Lovelace"}
WORDING = "Yes, write to me."
THANKS = "See you in spring."
OUR_THANKS, A_STATUS, THE_FORMS_THANKS = "our page of thanks", "`received` as JSON", "thanks in its place"
SENT_UNSEEN = "nothing that it may read"
# The type that each input has in the page.
SEEN = {OUR_THANKS: THANKS, A_STATUS: "received", THE_FORMS_THANKS: THANKS, SENT_UNSEEN: "sent"}


@dataclass(frozen=True)
class InBrowser:
    """A page of another origin where somebody signs up.

    `front_end` and `how` stand in the table. `page` is a file in pages/, whose folder says what sends the
    form: the browser (html), a script of the page (script) or our one line (line). The page is opened as
    `place` says; `opener` is pressed before there is a form; `typed` goes into the fields by their labels,
    besides the address.
    """

    front_end: str
    how: str
    page: str
    visitor_gets: str = A_STATUS
    typed: Mapping[str, str] = field(default_factory=lambda: {"First name": "Ada"})
    person: Mapping[str, str] = field(default_factory=lambda: ADA)
    email_label: str = "E-mail"
    place: str = "site"  # or "file", or "latin-1" for a page in that encoding
    in_frame: bool = False
    opener: str | None = None

    @property
    def row(self) -> tuple[str, str, str]:
        """The row in the table."""
        return self.front_end, self.how, self.visitor_gets


@dataclass(frozen=True)
class FromServer:
    """A call of an automation service, without an API key; it goes out with these headers and no others."""

    front_end: str
    how: str
    headers: Mapping[str, str]
    json: Any = None
    data: Mapping[str, str] | None = None
    person: Mapping[str, str] = field(default_factory=lambda: ADA)

    @property
    def row(self) -> tuple[str, str, str]:
        """The row in the table."""
        return self.front_end, self.how, A_STATUS


NAMES = {"First name": "Ada", "Last name": "Lovelace"}
IN_BROWSER = (
    InBrowser("plain HTML", "`<form action method=post>`", "html/plain", OUR_THANKS),
    InBrowser("plain HTML", "inside a frame of the site", "html/framed", OUR_THANKS, in_frame=True),
    InBrowser("plain HTML", "a page opened from disk, `file://`", "html/plain", OUR_THANKS, place="file"),
    InBrowser(
        "plain HTML",
        "a page in ISO-8859-1, and a name with an accent",
        "html/plain",
        OUR_THANKS,
        typed={"First name": "Zoë"},
        person={"first_name": "Zoë"},
        place="latin-1",
    ),
    InBrowser(
        "the form's own page", "in a frame of another site", "html/framed-page", OUR_THANKS, in_frame=True
    ),
    InBrowser("fetch", "`body: new FormData(form)`", "script/fetch-form-data"),
    InBrowser("fetch", "`body: new URLSearchParams(new FormData(form))`", "script/fetch-url-encoded"),
    InBrowser("fetch", "`body: JSON.stringify(…)`", "script/fetch-json"),
    InBrowser("jQuery 4", "`$.post(…, $(form).serialize())`", "script/jquery"),
    InBrowser("jQuery 3", "`$.post(…, $(form).serialize())`", "script/jquery-3"),
    InBrowser("jQuery 3", "`.load(…, fields)`, which asks for HTML", "script/jquery-load", THE_FORMS_THANKS),
    InBrowser(
        "fetch", '`mode: "no-cors"`, from `file://`', "script/fetch-no-cors", SENT_UNSEEN, place="file"
    ),
    InBrowser("axios", "`axios.post(…, object)`", "script/axios-json"),
    InBrowser("axios", "`axios.postForm(…, form)`", "script/axios-form"),
    InBrowser("Alpine.js", "`@submit.prevent` with `fetch` and `FormData`", "script/alpine"),
    InBrowser("htmx 2", "`hx-post`; `selfRequestsOnly: false`", "script/htmx-2", THE_FORMS_THANKS),
    # An input called `form` hides the form itself from htmx 4.
    InBrowser(
        "htmx 4",
        '`hx-post`; `mode: "cors"`; `form` in `hx-vals`, not as an input',
        "script/htmx-4",
        THE_FORMS_THANKS,
    ),
    InBrowser("React Hook Form", "its values as JSON, the tick as `true`", "script/react-hook-form"),
    InBrowser("Turbo", "plain HTML on a page that Turbo drives", "html/turbo", OUR_THANKS),
    InBrowser(
        "Contact Form 7",
        "`your-name`, `your-email`; sent as its script sends",
        "script/contact-form-7",
        typed={"Your name": "Ada Lovelace"},
        person=ADA_LOVELACE,
        email_label="Your email",
    ),
    InBrowser(
        "Mailchimp's names", "`EMAIL`, `FNAME`, `LNAME`", "html/mailchimp", OUR_THANKS, NAMES, ADA_LOVELACE
    ),
    InBrowser(
        "HubSpot's names", "`email`, `firstname`, `lastname`", "html/hubspot", OUR_THANKS, NAMES, ADA_LOVELACE
    ),
    InBrowser(
        "Klaviyo's names",
        "`email`, `$first_name`, `$last_name`",
        "html/klaviyo",
        OUR_THANKS,
        NAMES,
        ADA_LOVELACE,
    ),
    InBrowser("the one line", "in the `<head>`", "line/in-head", THE_FORMS_THANKS),
    InBrowser(
        "the one line", "on a page that Turbo goes to", "line/turbo", THE_FORMS_THANKS, opener="Open the form"
    ),
    InBrowser("the one line", "swapped in by htmx", "line/htmx", THE_FORMS_THANKS, opener="Open the form"),
    InBrowser(
        "the one line",
        "put in by jQuery's `.html()`",
        "line/jquery",
        THE_FORMS_THANKS,
        opener="Open the form",
    ),
    InBrowser(
        "`data-signup-form`", "an element of React's", "line/react", THE_FORMS_THANKS, opener="Open the form"
    ),
)
ZAPIER = {"User-Agent": "Zapier", "Accept": "*/*"}
MAKE = {"User-Agent": "Make/production"}
N8N = {
    "User-Agent": "axios/1.8.3",
    "Accept": "application/json,text/html,application/xhtml+xml,application/xml,text/*;q=0.9, image/*;q=0.8, "
    "*/*;q=0.7",
}
APPS_SCRIPT = {"User-Agent": "Mozilla/5.0 (compatible; Google-Apps-Script)"}
BY_NAME = {"form": "news", "first_name": "Ada", "consent": "yes"}
FROM_SERVER = (
    FromServer("Zapier", "Webhooks, POST, payload `json`: all values are text", ZAPIER, json=BY_NAME),
    FromServer("Zapier", "Webhooks, POST, payload `form`", ZAPIER, data=BY_NAME),
    FromServer(
        "Make",
        "HTTP, JSON: one `name`, the consent as `true`",
        MAKE,
        json={"form": "news", "name": "Ada Lovelace", "consent": True},
        person=ADA_LOVELACE,
    ),
    FromServer(
        "n8n",
        "HTTP Request, JSON: an array of one object, names in PascalCase",
        N8N,
        json=[{"Form": "news", "FirstName": "Ada", "Consent": True}],
    ),
    FromServer("Apps Script", "`UrlFetchApp.fetch(…, {method, payload})`", APPS_SCRIPT, data=BY_NAME),
    FromServer("Apps Script", "with `JSON.stringify` and `contentType`", APPS_SCRIPT, json=BY_NAME),
)


def table() -> str:
    """Return the table for docs/forms.md."""
    head = "| front end | how | what comes back | works |\n|---|---|---|---|\n"
    return head + "".join(f"| {' | '.join((*case.row, 'yes'))} |\n" for case in (*IN_BROWSER, *FROM_SERVER))
