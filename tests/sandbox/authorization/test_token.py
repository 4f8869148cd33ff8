"""The token endpoint."""

import base64
import hashlib
import json
import re
from typing import Any

import pytest

from sandbox import SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET, create_sandbox
from tests.sandbox.conftest import Clock
from tests.sandbox.vendor import REDIRECT_URI, SIGN_UP, TOKEN, Vendor, person

DAY = 86_400


def claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


def refused(answer: Any, error: str = "invalid_grant") -> bool:
    return (
        answer.status_code == 400 and answer.json["error"] == error and bool(answer.json["error_description"])
    )


def test_tokens_look_like_the_vendors(vendor: Vendor, clock: Clock) -> None:
    """A pair has the vendor's members and a JWT of 1,000 to 1,200 characters with the claims clients read."""
    pair = vendor.connect()
    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", DAY)
    assert pair["scope"].split() == ["contact_data", "account_read", "offline_access"]
    assert 1_000 <= len(pair["access_token"]) <= 1_200
    read = claims(pair["access_token"])
    assert read["scp"] == ["contact_data", "account_read", "offline_access"]
    assert (read["iat"], read["exp"]) == (int(clock.now), int(clock.now) + DAY)
    assert read["platform_user_id"] != "UNASSIGNED"
    assert claims(vendor.connect(user="unassigned")["access_token"])["platform_user_id"] == "UNASSIGNED"


def test_wrong_secret_and_unknown_client_differ_in_shape(vendor: Vendor) -> None:
    """A wrong secret has the key `error`, an unknown client has `errorCode` and no `error`."""
    wrong = vendor.token(auth=(SANDBOX_CLIENT_ID, "guess"), grant_type="refresh_token")
    assert (wrong.status_code, (wrong.json or {})["error"]) == (401, "invalid_client")
    unknown = vendor.token(auth=("nobody", SANDBOX_CLIENT_SECRET), grant_type="refresh_token")
    assert (unknown.status_code, (unknown.json or {})["errorCode"]) == (401, "invalid_client")
    assert (unknown.json or {}).get("error") is None
    assert "errorSummary" in (unknown.json or {})


def test_only_basic_authentication(vendor: Vendor) -> None:
    """Client credentials in the body are refused."""
    form = {
        "client_id": SANDBOX_CLIENT_ID,
        "client_secret": SANDBOX_CLIENT_SECRET,
        "grant_type": "refresh_token",
    }
    answer = vendor.client.post(TOKEN, data=form)
    assert (answer.status_code, (answer.json or {})["error"]) == (401, "invalid_client")


def test_malformed_requests(vendor: Vendor) -> None:
    """Missing members, unknown grant types and parameters in the query have their own errors."""
    assert refused(vendor.token(grant_type="password"), "unsupported_grant_type")
    assert refused(vendor.token(), "invalid_request")
    assert refused(vendor.token(grant_type="refresh_token"), "invalid_request")
    assert refused(vendor.token(grant_type="authorization_code", code="x"), "invalid_request")


@pytest.mark.parametrize("where", ["query", "body", "both"])
def test_parameters_stand_in_the_body_or_in_the_query(vendor: Vendor, where: str) -> None:
    """The vendor's examples have them in the query; a parameter given in both places was given twice."""
    parameters = {"grant_type": "refresh_token", "refresh_token": vendor.connect()["refresh_token"]}
    answer = vendor.client.post(
        TOKEN,
        query_string=parameters if where != "body" else {},
        data=parameters if where != "query" else {},
        auth=(SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET),
    )
    if where == "both":
        assert refused(answer, "invalid_request")
    else:
        assert (answer.json or {})["access_token"]
    assert parameters["refresh_token"] not in vendor.client.get("/_sandbox/requests").text


def test_a_code_is_exchanged_by_parameters_in_the_query(vendor: Vendor) -> None:
    """The vendor's page server_flow, step 4, has some in the query; the grant type may stand elsewhere."""
    query = {"code": vendor.code(), "redirect_uri": REDIRECT_URI}
    credentials = (SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET)
    form = {"grant_type": "authorization_code"}
    answer = vendor.client.post(TOKEN, query_string=query, data=form, auth=credentials)
    assert (answer.json or {})["refresh_token"]
    assert query["code"] not in vendor.client.get("/_sandbox/requests").text


@pytest.mark.parametrize(
    "credentials",
    [
        ("sandbox%2Dclient", "sandbox%2Dsecret"),
        ("sandbox-client", "%73andbox-secret"),
        ("%73%61%6Edbox%2dclient", "sandbox-secret"),
    ],
)
def test_basic_credentials_are_form_encoded(vendor: Vendor, credentials: tuple[str, str]) -> None:
    """RFC 6749 §2.3.1; openid-client sends a hyphen as %2D."""
    token = vendor.connect()["refresh_token"]
    answer = vendor.token(auth=credentials, grant_type="refresh_token", refresh_token=token)
    assert answer.status_code == 200, answer.text


def test_a_blank_in_credentials_is_a_plus_sign(vendor: Vendor) -> None:
    """A value that decodes to another secret, or only if decoded twice, is refused."""
    for wrong in ("sandbox+secret", "sandbox%252Dsecret"):
        answer = vendor.token(auth=(SANDBOX_CLIENT_ID, wrong), grant_type="refresh_token")
        assert (answer.status_code, (answer.json or {})["error"]) == (401, "invalid_client")


def test_refresh_tokens_have_43_characters(vendor: Vendor) -> None:
    """A public client of the vendor stores them in a column of 50 characters."""
    for mode in ("rotating", "long_lived"):
        vendor.settings(refresh_tokens=mode)
        first = vendor.connect(scope="contact_data account_read billing_data offline_access")
        second = vendor.refresh(first["refresh_token"]).json or {}
        for pair in (first, second):
            assert re.fullmatch(r"[A-Za-z0-9_-]{43}", pair["refresh_token"])


def test_code_lives_five_minutes(vendor: Vendor) -> None:
    """A code is good for 300 seconds and not for longer."""
    young, old = vendor.code(), vendor.code()
    vendor.advance(300)
    assert vendor.exchange(young).status_code == 200
    vendor.advance(1)
    assert refused(vendor.exchange(old))


def test_replayed_code_revokes_its_tokens(vendor: Vendor) -> None:
    """A code sent twice is refused and kills both tokens it once yielded (RFC 6749 §4.1.2)."""
    code = vendor.code()
    pair = vendor.exchange(code).json or {}
    assert vendor.works(pair["access_token"])
    assert refused(vendor.exchange(code))
    assert not vendor.works(pair["access_token"])
    assert refused(vendor.refresh(pair["refresh_token"]))


def test_redirect_uri_must_be_identical(vendor: Vendor) -> None:
    """A trailing slash is enough to be refused."""
    assert refused(vendor.exchange(vendor.code(), redirect_uri=REDIRECT_URI + "/"))


def test_pkce(vendor: Vendor) -> None:
    """The right verifier passes; a wrong, missing or uncalled-for one is refused."""
    verifier = "v" * 43
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {"code_challenge": challenge, "code_challenge_method": "S256"}
    assert vendor.exchange(vendor.code(**asked), code_verifier=verifier).status_code == 200
    assert refused(vendor.exchange(vendor.code(**asked), code_verifier="w" * 43))
    assert refused(vendor.exchange(vendor.code(**asked)))
    assert refused(vendor.exchange(vendor.code(), code_verifier=verifier))


def test_no_refresh_token_without_offline_access(vendor: Vendor) -> None:
    """Without offline_access the answer is a success that lacks a refresh token."""
    pair = vendor.connect(scope="contact_data")
    assert "refresh_token" not in pair
    assert pair["scope"] == "contact_data"


def test_rotation(vendor: Vendor) -> None:
    """Each refresh yields a new pair that works."""
    first = vendor.connect()
    second = vendor.refresh(first["refresh_token"]).json or {}
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert vendor.works(second["access_token"])
    assert vendor.refresh(second["refresh_token"]).status_code == 200
    assert vendor.state()["counters"]["refreshes"] == 2


def test_superseded_token_within_grace(vendor: Vendor) -> None:
    """A replay within the grace yields a fresh pair of the same family and is counted."""
    first = vendor.connect()
    lost = vendor.refresh(first["refresh_token"]).json or {}
    vendor.advance(29)
    again = vendor.refresh(first["refresh_token"])
    assert again.status_code == 200
    assert (again.json or {})["refresh_token"] not in (first["refresh_token"], lost["refresh_token"])
    assert vendor.state()["counters"]["grace_hits"] == 1
    assert len(vendor.state()["tokens"]["families"]) == 1


def test_superseded_token_after_grace_revokes_the_newest(vendor: Vendor) -> None:
    """A replay after the grace is refused and the newest refresh token dies; access tokens live on."""
    first = vendor.connect()
    second = vendor.refresh(first["refresh_token"]).json or {}
    vendor.advance(30)
    assert refused(vendor.refresh(first["refresh_token"]))
    assert refused(vendor.refresh(second["refresh_token"]))
    assert vendor.works(second["access_token"])
    assert vendor.state()["counters"]["reuse_revocations"] == 1


def test_no_grace(vendor: Vendor) -> None:
    """With a grace of 0 seconds an immediate replay is refused."""
    vendor.settings(grace_seconds=0)
    first = vendor.connect()
    assert vendor.refresh(first["refresh_token"]).status_code == 200
    assert refused(vendor.refresh(first["refresh_token"]))


def test_long_lived(vendor: Vendor) -> None:
    """A long-lived refresh token comes back unchanged for as long as it is used."""
    vendor.settings(refresh_tokens="long_lived")
    token = vendor.connect()["refresh_token"]
    for _ in range(3):
        vendor.advance(100 * DAY)
        assert (vendor.refresh(token).json or {})["refresh_token"] == token


@pytest.mark.parametrize("mode", ["rotating", "long_lived"])
def test_unused_for_180_days(vendor: Vendor, mode: str) -> None:
    """A token of either kind expires after 180 unused days."""
    vendor.settings(refresh_tokens=mode)
    token = vendor.connect()["refresh_token"]
    vendor.advance(180 * DAY)
    token = (vendor.refresh(token).json or {})["refresh_token"]
    vendor.advance(180 * DAY + 1)
    assert refused(vendor.refresh(token))


def test_new_authorization_expires_earlier_refresh_tokens(vendor: Vendor) -> None:
    """In rotating mode a new set of the same user expires the earlier one, without harm to the new set."""
    earlier, other = vendor.connect(), vendor.connect(user="campaign_creator")
    new = vendor.connect()
    assert refused(vendor.refresh(earlier["refresh_token"]))
    assert vendor.refresh(other["refresh_token"]).status_code == 200
    assert vendor.refresh(new["refresh_token"]).status_code == 200
    vendor.settings(refresh_tokens="long_lived")
    kept = vendor.connect()
    vendor.connect()
    assert vendor.refresh(kept["refresh_token"]).status_code == 200


def test_access_token_seconds(vendor: Vendor) -> None:
    """The setting drives expires_in, the JWT's exp and when the API stops to accept the token."""
    vendor.settings(access_token_seconds=60)
    pair = vendor.connect()
    assert pair["expires_in"] == 60
    vendor.advance(59)
    assert vendor.works(pair["access_token"])
    vendor.advance(1)
    assert not vendor.works(pair["access_token"])


@pytest.mark.parametrize("mode", ["rotating", "long_lived"])
def test_tokens_survive_a_restart(vendor: Vendor, clock: Clock, mode: str) -> None:
    """Another process of the sandbox accepts both tokens, and rotates or not as they were issued."""
    vendor.settings(refresh_tokens=mode)
    first = vendor.connect()
    second = vendor.refresh(first["refresh_token"]).json or {}
    restarted = Vendor(create_sandbox(clock).test_client())
    body = person()
    assert restarted.call(second["access_token"], "POST", SIGN_UP, body).status_code == 201
    third = restarted.refresh(second["refresh_token"]).json or {}
    assert (third["refresh_token"] == second["refresh_token"]) == (mode == "long_lived")
    assert set(third["scope"].split()) == set(second["scope"].split())
    assert restarted.works(third["access_token"])
    clock.now += 60
    assert refused(restarted.refresh(second["refresh_token"])) == (mode == "rotating")


def test_superseded_token_is_known_as_such_after_a_restart(vendor: Vendor, clock: Clock) -> None:
    """Once the restarted process has seen the newest token, an older one of the family is a replay."""
    first = vendor.connect()
    second = vendor.refresh(first["refresh_token"]).json or {}
    restarted = Vendor(create_sandbox(clock).test_client())
    third = restarted.refresh(second["refresh_token"]).json or {}
    clock.now += 60
    assert refused(restarted.refresh(first["refresh_token"]))
    assert refused(restarted.refresh(third["refresh_token"]))


def test_later_token_of_an_earlier_process_is_the_newest(vendor: Vendor, clock: Clock) -> None:
    """A restarted process that has seen an old token still takes a later one of the family for the newest."""
    tokens = [vendor.connect()["refresh_token"]]
    for _ in range(3):
        tokens.append((vendor.refresh(tokens[-1]).json or {})["refresh_token"])
    restarted = Vendor(create_sandbox(clock).test_client())
    assert restarted.refresh(tokens[0]).status_code == 200
    assert restarted.refresh(tokens[3]).status_code == 200
    clock.now += 60
    assert refused(restarted.refresh(tokens[3]))


@pytest.mark.parametrize("days", [180, 181])
def test_idle_rotating_token_dies_across_a_restart(vendor: Vendor, clock: Clock, days: int) -> None:
    """A restart does not reset the idle time of a rotating token."""
    token = vendor.connect()["refresh_token"]
    clock.now += days * DAY
    restarted = Vendor(create_sandbox(clock).test_client())
    assert refused(restarted.refresh(token)) == (days > 180)


def test_reset_kills_earlier_tokens(vendor: Vendor, clock: Clock) -> None:
    """A reset kills everything issued before it, in the same instant too, and nothing issued after it."""
    vendor.advance(1_000)
    before = vendor.connect()
    code = vendor.code()
    vendor.client.post("/_sandbox/reset")
    after = vendor.connect()
    assert not vendor.works(before["access_token"])
    assert refused(vendor.refresh(before["refresh_token"]))
    assert refused(vendor.exchange(code))
    assert vendor.works(after["access_token"])
    assert vendor.refresh(after["refresh_token"]).status_code == 200


def test_forged_tokens(vendor: Vendor) -> None:
    """A token with a changed character is refused."""
    pair = vendor.connect()
    header, payload, signature = pair["access_token"].split(".")
    for forged in (f"{header}.{payload}x.{signature}", f"{header}.{payload}.", "", "no-token", "ü.ü.ü"):
        headers = {"Authorization": f"Bearer {forged}"}
        answer = vendor.client.get("/v3/account/summary", headers=headers)
        assert answer.status_code == 401, forged
    token = pair["refresh_token"]
    for forged in ("x" + token, token[1:], "A" * 43, token[:-1] + "=", "ü" * 43, "x"):
        assert refused(vendor.refresh(forged)), forged


def test_recorded_calls_hold_fingerprints_only(vendor: Vendor) -> None:
    """Neither the record of calls nor the state holds a token, a code or a verifier."""
    code = vendor.code()
    pair = vendor.exchange(code).json or {}
    pair2 = vendor.refresh(pair["refresh_token"]).json or {}
    vendor.works(pair2["access_token"])
    shown = vendor.client.get("/_sandbox/requests").text + vendor.client.get("/_sandbox/state").text
    for secret in (code, *(p[name] for p in (pair, pair2) for name in ("access_token", "refresh_token"))):
        assert secret not in shown
    digest = hashlib.sha256(pair["refresh_token"].encode()).hexdigest()[:12]
    exchanged, refreshed, called = vendor.calls()
    assert exchanged["answer"]["refresh_token"] == refreshed["body"]["refresh_token"] == f"sha256:{digest}"
    assert called["bearer"] == refreshed["answer"]["access_token"]
