"""JSON Web Tokens (RFC 7519) as the vendor signs them, with RS256, and the set of keys to check them by."""

import base64
import json
from functools import cache
from typing import Any
from uuid import uuid4

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
    rsa_crt_dmp1,
    rsa_crt_dmq1,
    rsa_crt_iqmp,
)
from cryptography.hazmat.primitives.hashes import SHA256

# What clients of the vendor check: they have these addresses as constants.
AUDIENCE = "https://api.cc.email/v3"
ISSUER_PATH = "/oauth2/aus1lm3ry9mF7x2Ja0h8"
ISSUER = f"https://identity.constantcontact.com{ISSUER_PATH}"
KEY_ID = "sandbox"
# The vendor's tokens have 1,000 to 1,200 characters: too short a column must fail here, too.
PADDING = "sandbox." * 14
# The two primes of the key. It is public and the same in every process: signing only has to keep a sandbox
# from taking strings by chance for tokens that an earlier process issued.
_PRIMES = (
    "f08a64a89f647c99cfefe5066bc7f02eb72ddb16955a1070328045744575f9282938d8aeb81863f86e62fa2a"
    "cb11c696611878f0f03ac58dd4b13775207e0cb2fb5b5c298480f279554f23581542cef9f3066fdbcc4fe4dc"
    "3218fd7111e5b3e89dbd522bbd707598c82987e76784c29bb5758ec36c2acfac52b875f12d986009",
    "c38db1c548ef8e0b224b9b1d947d7d3d9644671d2ad5c4d572a0c5a5f2eba5565f0cdfa4a1306dd75ef5be54"
    "6e3695231d85307a1b8a460dce2b7af91c4aa924312939f48f388714f20cbf0136439434dc98e244966484e8"
    "9202b4bd6cb85a5c43088acc5e5e0ec76045cc4a5940e10018a655a1005cbcb135e36f7496b42837",
)
_EXPONENT = 65_537


def access_token(
    *, client_id: str, family: str, user: str, scopes: tuple[str, ...], now: float, seconds: int
) -> str:
    """Return an access token with the claims that clients of the vendor look at, good for `seconds`."""
    claims = {
        "ver": 1,
        "jti": f"AT.{uuid4().hex}",
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": int(now),
        "exp": int(now) + seconds,
        "cid": client_id,
        "scp": list(scopes),
        "sub": user,
        "platform_user_id": "UNASSIGNED" if user == "unassigned" else str(uuid4()),
        # Milliseconds, because a reset may fall into the second of issue.
        "ims": int(now * 1000),
        "fam": family,
        "pad": PADDING,
    }
    head = {"kid": KEY_ID, "alg": "RS256"}
    signed = ".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
    return f"{signed}.{encoded(_key().sign(signed.encode(), PKCS1v15(), SHA256()))}"


def verified(token: str) -> dict[str, Any] | None:
    """Return the claims of a validly signed token, else None; the caller checks the expiry."""
    signed, _, signature = token.rpartition(".")
    try:
        _key().public_key().verify(decoded(signature), signed.encode(), PKCS1v15(), SHA256())
        claims = json.loads(decoded(signed.split(".")[1]))
    except (InvalidSignature, IndexError, ValueError):
        return None
    return claims if isinstance(claims, dict) else None


def key_set() -> dict[str, list[dict[str, str]]]:
    """Return the public key as a JSON Web Key Set (RFC 7517)."""
    public = _key().public_key().public_numbers()
    n, e = (encoded(value.to_bytes((value.bit_length() + 7) // 8)) for value in (public.n, public.e))
    return {"keys": [{"kty": "RSA", "alg": "RS256", "kid": KEY_ID, "use": "sig", "e": e, "n": n}]}


def encoded(data: bytes) -> str:
    """Return the data as base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Return the bytes of a text made by `encoded`; raise ValueError for any other text."""
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if encoded(data) != text:
        raise ValueError("not the one way to write it")
    return data


@cache
def _key() -> RSAPrivateKey:
    p, q = (int(prime, 16) for prime in _PRIMES)
    d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    numbers = RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa_crt_dmp1(d, p),
        dmq1=rsa_crt_dmq1(d, q),
        iqmp=rsa_crt_iqmp(p, q),
        public_numbers=RSAPublicNumbers(_EXPONENT, p * q),
    )
    # The check of the numbers takes longer than the first hundred tokens.
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)
