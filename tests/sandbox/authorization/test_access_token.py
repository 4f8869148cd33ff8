"""Access tokens as verifiers check them: by the published key, with the claims that they need."""

import base64
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from sandbox import SANDBOX_CLIENT_ID, create_sandbox
from tests.sandbox.conftest import Clock
from tests.sandbox.vendor import Vendor

KEYS = "/oauth2/aus1lm3ry9mF7x2Ja0h8/v1/keys"


def part(token: str, number: int) -> bytes:
    text = token.split(".")[number]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def whole(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=="))


def key_of(vendor: Vendor, token: str) -> dict[str, Any]:
    """Return the published key that the token names."""
    published = vendor.client.get(KEYS).json or {}
    named = json.loads(part(token, 0))["kid"]
    (key,) = (key for key in published["keys"] if key["kid"] == named)
    return dict(key)


def test_is_signed_by_the_published_key(vendor: Vendor) -> None:
    """RS256 with a kid, by which a verifier finds the key (RFC 7517)."""
    token = vendor.connect()["access_token"]
    key = key_of(vendor, token)
    assert json.loads(part(token, 0)) == {"alg": "RS256", "kid": key["kid"]}
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    public = RSAPublicNumbers(whole(key["e"]), whole(key["n"])).public_key()
    signed = token.rpartition(".")[0].encode()
    public.verify(part(token, 2), signed, PKCS1v15(), SHA256())
    with pytest.raises(InvalidSignature):
        public.verify(part(token, 2), signed + b"x", PKCS1v15(), SHA256())


def test_claims_that_verifiers_ask_for(vendor: Vendor) -> None:
    """Audience and issuer are the vendor's, wherever the sandbox runs: clients have them as constants."""
    token = vendor.connect()["access_token"]
    claims = json.loads(part(token, 1))
    assert claims["aud"] == "https://api.cc.email/v3"
    assert claims["iss"] == "https://identity.constantcontact.com" + KEYS.removesuffix("/v1/keys")
    assert claims["cid"] == SANDBOX_CLIENT_ID
    assert claims["jti"] != json.loads(part(vendor.connect()["access_token"], 1))["jti"]


def test_the_keys_are_also_beside_the_token_endpoint(vendor: Vendor) -> None:
    (key,) = (vendor.client.get("/oauth2/default/v1/keys").json or {})["keys"]
    assert key == key_of(vendor, vendor.connect()["access_token"])


def test_the_key_stays_the_same_across_a_restart(vendor: Vendor, clock: Clock) -> None:
    """A verifier may keep the key set for as long as it likes."""
    restarted = Vendor(create_sandbox(clock).test_client())
    token = vendor.connect()["access_token"]
    assert key_of(restarted, token) == key_of(vendor, token)
    assert restarted.works(token)


@pytest.mark.parametrize("signature", ["", "AAAA", "!", "same but longer", "without its last character"])
def test_other_signatures_are_refused(vendor: Vendor, signature: str) -> None:
    signed, _, good = vendor.connect()["access_token"].rpartition(".")
    changed = {"same but longer": good + "AA", "without its last character": good[:-1]}
    assert not vendor.works(f"{signed}.{changed.get(signature, signature)}")


def test_an_unsigned_token_is_refused(vendor: Vendor) -> None:
    """Algorithm “none”, and HS256 with the published key as its secret (RFC 8725 §2.1)."""
    _, claims, signature = vendor.connect()["access_token"].split(".")
    for algorithm in ("none", "HS256"):
        head = base64.urlsafe_b64encode(json.dumps({"alg": algorithm}).encode()).decode().rstrip("=")
        assert not vendor.works(f"{head}.{claims}.")
        assert not vendor.works(f"{head}.{claims}.{signature}")
