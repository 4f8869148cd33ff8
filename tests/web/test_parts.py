"""The components of the pages: the macros in templates/parts/."""

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient

ROOT = Path(__file__).parents[2]
EVIL = '"><script>alert(1)</script>'


@pytest.fixture
def render(app: Flask) -> Any:
    """Render a template that imports the macros, as a page does."""

    def rendered(text: str, **values: Any) -> str:
        names = ("status", "values", "table", "dialog")
        imports = "".join(f'{{% import "parts/{name}.html" as {name} %}}' for name in names)
        with app.test_request_context():
            return re.sub(r"\s+", " ", render_template_string(imports + text, **values)).strip()

    return rendered


def test_a_badge_is_colour_shape_and_word(render: Any) -> None:
    """Each tone has a colour in light and dark, and a shape that no other has."""
    assert render('{{ status.badge("good", "Delivered") }}') == '<span class="badge good">Delivered</span>'
    assert 'class="badge warn long"' in render('{{ status.badge("warn", "A sentence.", long=true) }}')
    tokens = (ROOT / "static/tokens.css").read_text()
    components = (ROOT / "static/components.css").read_text()
    tones = ("good", "warn", "bad", "quiet")
    for tone in tones:
        assert len(re.findall(rf"--{tone}: #", tokens)) == 2
        assert len(re.findall(rf"--{tone}-tint: #", tokens)) == 2
        assert f"--shape: var(--shape-{tone})" in components
    assert len({re.search(rf"--shape-{tone}: (.*);", tokens)[1] for tone in tones}) == 4  # type: ignore[index]
    assert "mask: var(--shape)" in components


@pytest.mark.parametrize(
    ("stands", "tone", "word"),
    [
        ("subscribed", "good", "Subscribed"),
        ("queued", "quiet", "Waiting"),
        ("parked", "bad", "Needs attention"),
        ("dropped", "quiet", "Dropped"),
        ("confirmation_sent", "quiet", "Confirmation sent"),
        ("pending_confirmation", "quiet", "Awaiting confirmation"),
    ],
)
def test_each_status_of_a_sign_up_has_a_badge(render: Any, stands: str, tone: str, word: str) -> None:
    """In words that need no glossary."""
    assert (
        render("{{ status.signup_badge(stands) }}", stands=stands)
        == f'<span class="badge {tone}">{word}</span>'
    )


def test_keys_and_values(render: Any) -> None:
    """A description list; what is passed in is text."""
    page = render(
        '{% call values.key_values() %}{% call values.value("Name") %}{{ evil }}{% endcall %}{% endcall %}',
        evil=EVIL,
    )
    assert page.startswith('<dl class="key-values"><div><dt>Name</dt><dd>&#34;&gt;&lt;script&gt;')


def test_a_time_is_readable_without_a_script(render: Any) -> None:
    """UTC for people and for programs."""
    assert render("{{ values.time(1795858696000) }}") == (
        '<time datetime="2026-11-28T09:38:16Z">28 Nov 2026, 09:38 UTC</time>'
    )


def test_progress(render: Any) -> None:
    """Labelled, in figures as well, and never over its end."""
    page = render('{{ values.progress("calls", "Calls today", 12345, 10000, "calls") }}')
    assert '<label for="calls">Calls today</label>' in page
    assert "<span>12,345 of 10,000 calls</span>" in page
    assert '<progress id="calls" value="10000" max="10000"></progress>' in page


def test_a_table_names_its_columns_in_each_cell(render: Any) -> None:
    """On a phone each row is a block, so the cell says what it is; by its roles it stays a table."""
    page = render(
        '{% call table.table("People", ("Name", "Lists")) %}{% call table.row() %}'
        "{% call table.head() %}{{ evil }}{% endcall %}"
        '{% call table.cell("Lists") %}News{% endcall %}{% endcall %}{% endcall %}',
        evil=EVIL,
    )
    assert '<caption class="visually-hidden">People</caption>' in page
    assert re.findall(r'<th role="columnheader" scope="col">(\w+)</th>', page) == ["Name", "Lists"]
    assert '<td role="cell" data-label="Lists"><div>News</div></td>' in page
    assert '<th role="rowheader" scope="row">&#34;&gt;&lt;script&gt;' in page
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("first", "following", "links"),
    [
        (None, None, []),
        (None, "/x?after=1", [("/x?after=1", "Next page")]),
        ("/x", None, [("/x", "First page")]),
        ("/x", "/x?after=2", [("/x", "First page"), ("/x?after=2", "Next page")]),
    ],
)
def test_paging_leads_on_and_back(
    render: Any, first: str | None, following: str | None, links: list[tuple[str, str]]
) -> None:
    """Only where there is somewhere to go."""
    page = render("{{ table.paging(following, first) }}", first=first, following=following)
    assert re.findall(r'href="([^"]+)">([^<]+)</a>', page) == links
    assert ("<nav" in page) == bool(links)


def test_a_filter_bar(render: Any) -> None:
    """A form that is sent by GET, with a way back where something is filtered."""
    text = '{% call table.filter_bar("/x", "Find", clear) %}<label>Q<input name="q"></label>{% endcall %}'
    page = render(text, clear="/x?all=1")
    assert page.startswith('<form class="filters" method="get" action="/x"> <label>Q<input name="q"></label>')
    assert ">Find</button>" in page
    assert '<a href="/x?all=1">Clear</a>' in page
    assert "<a " not in render(text, clear=None)


def test_an_empty_state_says_what_to_do(render: Any) -> None:
    """A title, and the next step."""
    page = render('{% call table.empty("No forms yet.") %}<a href="/new">Create one</a>{% endcall %}')
    assert (
        page == '<div class="empty"><p><strong>No forms yet.</strong> <a href="/new">Create one</a></p></div>'
    )


def test_a_dialog_asks_first_without_a_script(render: Any) -> None:
    """One button opens it, one closes it, one posts with the CSRF token; all by the browser itself."""
    page = render(
        '{% call dialog.confirm("drop", "Drop", "Drop it?", "/x/drop", "Drop", about="ann@example.org") %}'
        '<label>Reason<input name="reason" required></label>{% endcall %}'
    )
    opener, box = page.split('<div class="dialog"', 1)
    assert 'popovertarget="drop" aria-label="Drop… ann@example.org">Drop…</button>' in opener
    assert box.startswith(' id="drop" popover role="dialog" aria-labelledby="drop-title">')
    assert '<h2 id="drop-title">Drop it?</h2>' in box
    assert '<form method="post" action="/x/drop">' in box
    assert re.search(r'name="csrf_token" value="[^"]+"', box)
    assert '<input name="reason" required>' in box
    assert 'type="button" popovertarget="drop" popovertargetaction="hide" autofocus>Cancel<' in box
    assert not re.search(r" on\w+=", page)


@pytest.mark.parametrize(("category", "tone"), [("message", "good"), ("problem", "problem")])
def test_a_flash_message_is_shown_once(admin: FlaskClient, category: str, tone: str) -> None:
    """With its tone, announced to screen readers, and as text."""
    with admin.session_transaction() as session:
        session["_flashes"] = [(category, EVIL)]
    page = admin.get("/admin/forms/").text
    assert f'<p class="notice {tone}" role="status">&#34;&gt;&lt;script&gt;' in page
    assert "alert(1)" not in admin.get("/admin/forms/").text


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/admin/", "Overview"),
        ("/admin/signups/", "Refused sign-ups"),
        ("/admin/suspected/", "Suspected sign-ups"),
        ("/admin/forms/", "Forms"),
        ("/admin/forms/new", "New form"),
    ],
)
def test_a_title_says_which_page_and_whose(connected: FlaskClient, path: str, title: str) -> None:
    """The page first, as tabs show little more; then the organisation."""
    assert f"<title>{title} · Sandbox Society</title>" in connected.get(path).text


def test_before_connecting_the_title_has_the_services_name(admin: FlaskClient) -> None:
    """It stands in the organisation's place; strangers read the service's name alone."""
    assert "<title>Overview · Subscriber Sync</title>" in admin.get("/admin/").text


def test_the_sign_in_page_tells_no_stranger_whose_it_is(connected: FlaskClient) -> None:
    """Its title and text name the service only."""
    page = connected.application.test_client().get("/admin/sign-in").text
    assert "<title>Sign in to Subscriber Sync</title>" in page
    assert "Sandbox Society" not in page
