"""Changes to the environment before it is checked: values that the host implies, and generated secrets."""

import ipaddress
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values

# No environment variables, but values that `apply_host` and `Settings.from_env` add to them. The first one
# differs between an installation and a copy of it elsewhere.
INSTALLATION = "installation"
# Whether the host itself, and not a person in .env, chose the port at which its proxy calls the service.
BEHIND_PLATFORM = "behind_platform"
SECRETS_FOR_PRODUCTION = {
    "CONSTANT_CONTACT_CLIENT_ID": "the API key of your application in Constant Contact's developer portal",
    "CONSTANT_CONTACT_CLIENT_SECRET": "the secret of the same application, unless it uses the PKCE flow",
    "SECRET_KEY": "32 or more random characters, for example from `openssl rand -hex 32`; signs sessions",
    "ENCRYPTION_KEYS": "32 or more random characters, not those of SECRET_KEY; seals the tokens at rest",
    "ADMIN_PASSWORD": "the password you will sign in with at /admin/",
}
GENERATED_IN_DEVELOPMENT = ("SECRET_KEY", "ENCRYPTION_KEYS", "ADMIN_PASSWORD", "API_KEYS")


def open_by_mistake(values: Mapping[str, Any]) -> list[str]:
    """Return the problem of a public address without APP_ENV: development mode protects nothing."""
    parts = urlsplit(values.get("PUBLIC_BASE_URL", "").strip())
    host = parts.hostname or ""
    chosen = "APP_ENV" in values or values.get("REPLIT_DEPLOYMENT") == "1"
    if chosen or parts.scheme != "https" or not _is_public(host) or host == values.get("REPLIT_DEV_DOMAIN"):
        return []
    return [
        "APP_ENV is missing, and PUBLIC_BASE_URL is a public address: set APP_ENV=production, or"
        " APP_ENV=development if nobody but you uses it (anybody could look into the sandbox there)"
    ]


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return bool(host) and host != "localhost" and not host.endswith(".localhost")


def apply_host(values: dict[str, Any]) -> None:
    """Add what a known host implies: on Replit the mode, the address, and one proxy."""
    if values.get("REPLIT_DEPLOYMENT") == "1":
        values["APP_ENV"] = "production"
    # The host in PUBLIC_BASE_URL, or Replit's id of the app; Replit's domains may change their order. Without
    # the port, since the same service on another port is no copy.
    written = values.get("PUBLIC_BASE_URL", "")
    values[INSTALLATION] = written.partition("://")[2].partition("/")[0].partition(":")[0] or values.get(
        "REPL_ID", ""
    )
    domain = values.get("REPLIT_DOMAINS", "").split(",")[0].strip() or values.get("REPLIT_DEV_DOMAIN")
    if domain:
        values.setdefault("PUBLIC_BASE_URL", f"https://{domain}")
    if "REPL_ID" in values:
        # Replit terminates TLS in front of the service and forwards scheme and host in one hop.
        values.setdefault("PROXY_HOPS", "1")


def missing_secrets(values: Mapping[str, Any]) -> list[str]:
    """Return a problem for each secret that production requires and `values` lack."""
    if values.get("APP_ENV") != "production":
        return []
    missing = [name for name in SECRETS_FOR_PRODUCTION if name not in values]
    if "CONSTANT_CONTACT_CLIENT_ID" in values:
        # An application may do without a secret: Settings.public_client.
        missing = [name for name in missing if name != "CONSTANT_CONTACT_CLIENT_SECRET"]
    return [f"{name} is missing: set it to {SECRETS_FOR_PRODUCTION[name]}" for name in missing]


def generate_secrets(values: dict[str, Any]) -> None:
    """Add the secrets that are missing in development, from a file in DATA_DIR that only this user can read.

    Several processes may start at once: the first link wins, and all read the winner's file.
    """
    missing = [name for name in GENERATED_IN_DEVELOPMENT if name not in values]
    if not missing:
        return
    folder = Path(values.get("DATA_DIR", "data"))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    secrets_file = folder / "development-secrets.env"
    if not secrets_file.exists():
        draft = folder / f".secrets-{os.getpid()}-{secrets.token_hex(4)}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.writelines(f"{name}={secrets.token_urlsafe(32)}\n" for name in GENERATED_IN_DEVELOPMENT)
        try:
            os.link(draft, secrets_file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    generated = dotenv_values(secrets_file)
    values.update({name: generated[name] for name in missing if generated.get(name)})
