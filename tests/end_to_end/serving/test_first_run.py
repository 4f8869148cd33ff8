"""The newcomer's path: sign in, connect, post the sample form, see the person arrive."""

import signal

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.end_to_end.processes import Deployment, wait_for


@pytest.mark.browser
def test_from_an_empty_folder_to_a_contact_in_the_list(deployment: Deployment, page: Page) -> None:
    """A browser connects and signs somebody up; JSON then creates and updates; an outage loses nothing."""
    page.goto(f"{deployment.base}/admin/")
    page.get_by_label("Password").fill(deployment.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Connect").first.click()
    page.get_by_role("button", name="Allow").click()
    expect(page).to_have_url(f"{deployment.base}/admin/")
    expect(page.get_by_text("Constant Contact is connected.").first).to_be_visible()

    sample = page.locator("form[action$='/subscribe']")
    sample.get_by_label("E-mail").fill("Ann.Lee@example.org")
    sample.get_by_label("First name").fill("Ann")
    sample.get_by_label("Last name").fill("Lee")
    sample.get_by_role("button").click()
    expect(page).to_have_url(f"{deployment.base}/thank-you")
    contact = wait_for("the contact's arrival", lambda: deployment.contact("ann.lee@example.org"))
    assert contact["list_memberships"] == [deployment.preset_list]
    assert (contact["first_name"], contact["last_name"]) == ("Ann", "Lee")
    assert contact["permission_to_send"] == "explicit"

    created = deployment.subscribe("bob@example.org", first_name="Bob")
    assert (created.status_code, created.json()["action"]) == (201, "created")
    assert created.json()["contact_id"] == deployment.contact("bob@example.org")["contact_id"]  # type: ignore[index]
    updated = deployment.subscribe("bob@example.org", last_name="Ross")
    assert (updated.status_code, updated.json()["action"]) == (200, "updated")

    deployment.sandbox.stop(signal.SIGKILL)
    queued = deployment.subscribe("cyd@example.org")
    assert (queued.status_code, queued.json()["status"]) == (202, "queued")
    status_url = queued.json()["status_url"]
    assert requests.get(status_url, headers=deployment.by_key, timeout=5).json()["status"] == "queued"
    deployment.sandbox.start()
    wait_for(
        "the delivery after the outage",
        lambda: (
            requests.get(status_url, headers=deployment.by_key, timeout=5).json()["status"] == "subscribed"
        ),
        seconds=40,
    )
    assert deployment.contact("cyd@example.org")


@pytest.mark.browser
def test_denying_leaves_everything_as_it_was(deployment: Deployment, page: Page) -> None:
    """Deny leads to a page with cause and cure, and sign-ups go on being accepted."""
    page.goto(f"{deployment.base}/admin/sign-in")
    page.get_by_label("Password").fill(deployment.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Connect").first.click()
    with page.expect_response(lambda answer: "/oauth/callback" in answer.url) as callback:
        page.get_by_role("button", name="Deny").click()
    assert callback.value.status == 403
    expect(page.get_by_text("press Connect")).to_be_visible()
    assert deployment.health()["connection"] == "disconnected"
    assert deployment.subscribe("ann@example.org").status_code == 202
