"""Everything the environment decides, read once, typed and frozen.

`Settings.from_env()` reports every problem at once, each by the variable's name and with its cure. Empty
variables count as absent, because many hosts cannot delete one.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import idna
from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from settings import listening, secret_strength

VENDOR_API_URL = "https://api.cc.email/v3"
VENDOR_AUTH_URL = "https://authz.constantcontact.com/oauth2/default/v1"
THREADS_PER_WORKER = 8
# Not a variable of anybody's: filled in from what tells one installation from a copy of it.
INSTALLATION = "installation"
# Nor is this one: whether the host itself, not a person in .env, says where its proxy finds the service.
BEHIND_PLATFORM = "behind_platform"
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

SECRETS_FOR_PRODUCTION = {
    "CONSTANT_CONTACT_CLIENT_ID": "the API key of your application in Constant Contact's developer portal",
    "CONSTANT_CONTACT_CLIENT_SECRET": "the secret of the same application, unless it uses the PKCE flow",
    "SECRET_KEY": "32 or more random characters, for example from `openssl rand -hex 32`; signs sessions",
    "ENCRYPTION_KEYS": "32 or more random characters, not those of SECRET_KEY; seals the tokens at rest",
    "ADMIN_PASSWORD": "the password you will sign in with at /admin/",
}
# Memory, and the layer of a container, which is thrown away with it.
VOLATILE_FILE_SYSTEMS = frozenset({"tmpfs", "ramfs", "overlay", "aufs"})
# What a captcha's variables begin with, and where its two keys are to be had.
CAPTCHA_KEYS = {
    "TURNSTILE": "Cloudflare's dashboard, under Turnstile",
    "HCAPTCHA": "hCaptcha's dashboard (the secret is under Settings)",
    "RECAPTCHA": "Google's reCAPTCHA console, for the checkbox of version 2",
}
GENERATED_IN_DEVELOPMENT = ("SECRET_KEY", "ENCRYPTION_KEYS", "ADMIN_PASSWORD", "API_KEYS")


@dataclass(frozen=True)
class SettingsWarning:
    """What works today and will hurt later; `public` is False for the state of a secret and any weakness.

    `code` is snake_case and stays when the sentence is reworded.
    """

    code: str
    sentence: str
    public: bool = True


class SettingsError(Exception):
    """The environment cannot be used; the message lists every problem with its cure."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the problems in the order found."""
        self.problems = tuple(problems)
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(
            f"Subscriber Sync cannot start:\n{lines}\nEvery setting is described in .env.example."
        )


def _comma_list(value: object) -> object:
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


def _without_slash(value: object) -> object:
    return value.strip().rstrip("/") if isinstance(value, str) else value


def _origin(value: str) -> str:
    parts = urlsplit(value)
    # A blank would be no origin that a browser sends.
    if (
        " " in value
        or parts.scheme not in {"http", "https"}
        or not parts.netloc
        or parts.path.strip("/")
        or parts.query
    ):
        raise ValueError(f"“{value}” is not an origin like https://www.example.org")
    return f"{parts.scheme}://{_place_in_ascii(parts.netloc)}".lower()


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"“{value}” is not an address like https://signup.example.org")
    return value.replace(parts.netloc, _place_in_ascii(parts.netloc), 1)


def _place_in_ascii(place: str) -> str:
    """Host and port with a name of another script as browsers write it: https://url.spec.whatwg.org/#idna."""
    if place.isascii():
        return place
    name, colon, port = place.partition(":")
    try:
        return f"{idna.encode(name, uts46=True).decode()}{colon}{port}"
    except idna.IDNAError:
        raise ValueError(
            f"“{name}” is no name that browsers can look up; write it as your browser shows it"
        ) from None


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise ValueError(f"“{value}” is not an address or a network such as 10.1.0.0/16") from None


def _list_id(value: str) -> str:
    if len(value) != 36 or value.count("-") != 4:
        raise ValueError(f"“{value}” is not a list id; `flask lists` and GET /lists show the ids")
    return value.lower()


CommaList = Annotated[tuple[str, ...], BeforeValidator(_comma_list)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], BeforeValidator(_comma_list)]
ListIds = Annotated[tuple[Annotated[str, AfterValidator(_list_id)], ...], BeforeValidator(_comma_list)]
Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(_comma_list)]
Url = Annotated[str, BeforeValidator(_without_slash), AfterValidator(_http_url)]


class Settings(BaseModel):
    """One deployment's settings. Field aliases are the names of the environment variables."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=False)

    app_env: Literal["development", "production"] = Field("development", alias="APP_ENV")
    client_id: str | None = Field(None, alias="CONSTANT_CONTACT_CLIENT_ID")
    client_secret: SecretStr = Field(SecretStr(""), alias="CONSTANT_CONTACT_CLIENT_SECRET")
    api_url: Url = Field(VENDOR_API_URL, alias="CONSTANT_CONTACT_API_URL")
    auth_url: Url = Field(VENDOR_AUTH_URL, alias="CONSTANT_CONTACT_AUTH_URL")
    allow_custom_vendor_urls: bool = Field(False, alias="ALLOW_CUSTOM_VENDOR_URLS")
    refresh_token_seed: SecretStr = Field(SecretStr(""), alias="CONSTANT_CONTACT_REFRESH_TOKEN")
    pkce: bool = Field(True, alias="CONSTANT_CONTACT_PKCE")
    public_base_url: Url | None = Field(None, alias="PUBLIC_BASE_URL")
    proxy_hops: int = Field(0, alias="PROXY_HOPS", ge=0, le=5)
    proxy_addresses: Networks = Field((), alias="PROXY_ADDRESSES")
    bind: Annotated[str, AfterValidator(listening.checked)] | None = Field(None, alias="BIND")
    database_url: str | None = Field(None, alias="DATABASE_URL")
    data_dir: Path = Field(Path("data"), alias="DATA_DIR")
    instances: int = Field(1, alias="INSTANCES", ge=1)
    secret_key: SecretStr = Field(SecretStr(""), alias="SECRET_KEY")
    encryption_keys: CommaList = Field((), alias="ENCRYPTION_KEYS", repr=False)
    admin_password: SecretStr = Field(SecretStr(""), alias="ADMIN_PASSWORD")
    api_keys: CommaList = Field((), alias="API_KEYS", repr=False)
    drain_token: SecretStr = Field(SecretStr(""), alias="DRAIN_TOKEN")
    allowed_origins: Origins = Field((), alias="ALLOWED_ORIGINS")
    public_list_ids: ListIds = Field((), alias="PUBLIC_LIST_IDS")
    subscribe_wait_seconds: float = Field(1.2, alias="SUBSCRIBE_WAIT_SECONDS", ge=0, le=10)
    returning: Literal["confirm", "accept", "hold"] = Field("confirm", alias="RETURNING")
    signups_per_address: int = Field(20, alias="SIGNUPS_PER_MINUTE_AND_ADDRESS", ge=0)
    signups_per_network: int = Field(100, alias="SIGNUPS_PER_MINUTE_AND_NETWORK", ge=0)
    signups_per_form: int = Field(600, alias="SIGNUPS_PER_MINUTE_AND_FORM", ge=0)
    suspected_most_rows: int = Field(10_000, alias="SUSPECTED_MOST_ROWS", ge=0)
    suspected_most_megabytes: int = Field(50, alias="SUSPECTED_MOST_MEGABYTES", ge=0)
    # None: a multiple of the limit by the minute, see services.protection.Rates.
    signups_per_hour_and_address: int | None = Field(None, alias="SIGNUPS_PER_HOUR_AND_ADDRESS", ge=0)
    signups_per_day_and_address: int | None = Field(None, alias="SIGNUPS_PER_DAY_AND_ADDRESS", ge=0)
    signups_per_hour_and_network: int | None = Field(None, alias="SIGNUPS_PER_HOUR_AND_NETWORK", ge=0)
    signups_per_day_and_network: int | None = Field(None, alias="SIGNUPS_PER_DAY_AND_NETWORK", ge=0)
    anonymous_share_of_day: int = Field(80, alias="ANONYMOUS_SHARE_OF_DAY", ge=0, le=100)
    delivery: Literal["thread", "off"] = Field("thread", alias="DELIVERY")
    turnstile_site_key: str | None = Field(None, alias="TURNSTILE_SITE_KEY")
    turnstile_secret_key: SecretStr = Field(SecretStr(""), alias="TURNSTILE_SECRET_KEY")
    hcaptcha_site_key: str | None = Field(None, alias="HCAPTCHA_SITE_KEY")
    hcaptcha_secret_key: SecretStr = Field(SecretStr(""), alias="HCAPTCHA_SECRET_KEY")
    recaptcha_site_key: str | None = Field(None, alias="RECAPTCHA_SITE_KEY")
    recaptcha_secret_key: SecretStr = Field(SecretStr(""), alias="RECAPTCHA_SECRET_KEY")
    port: int = Field(5000, alias="PORT", ge=1, le=65535)
    web_concurrency: int = Field(2, alias="WEB_CONCURRENCY", ge=1, le=64)
    published_on_replit: bool = Field(False, alias="REPLIT_DEPLOYMENT")
    behind_platform: bool = Field(False, alias=BEHIND_PLATFORM)
    installation: str = Field("", alias=INSTALLATION)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the environment (default: the process's, over a `.env` file in the working directory).

        Raises:
            SettingsError: naming every variable that is missing or wrong, with the cure.
        """
        if environ is None:
            written = {name: value or "" for name, value in dotenv_values(".env").items()}
            environ = {**written, **os.environ}
        else:
            written = {}
        values: dict[str, Any] = {name: value for name, value in environ.items() if value.strip()}
        problems = _open_by_mistake(values)
        _apply_host(values)
        port_of_host = "PORT" in values and not written.get("PORT", "").strip()
        values[BEHIND_PLATFORM] = port_of_host or "REPL_ID" in values
        problems += _missing_secrets(values)
        if values.get("APP_ENV") != "production" and not problems:
            _generate_secrets(values)
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            problems += [f"{e['loc'][0]}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
            raise SettingsError(problems) from None
        problems += settings._problems()
        if problems:
            raise SettingsError(problems)
        return settings

    def _problems(self) -> list[str]:
        return [
            *self._several_machines(),
            *self._insecure_base_url(),
            *self._weak_keys(),
            *(self.weak_secrets() if self.production else ()),
            *self._unproven_client(),
            *self._half_captchas(),
            *self._foreign_vendor("CONSTANT_CONTACT_API_URL", self.api_url, VENDOR_API_URL),
            *self._foreign_vendor("CONSTANT_CONTACT_AUTH_URL", self.auth_url, VENDOR_AUTH_URL),
        ]

    def _unproven_client(self) -> list[str]:
        if not self.public_client or self.pkce:
            return []
        return [
            "CONSTANT_CONTACT_CLIENT_SECRET is missing: set it to the secret of your application, or remove"
            " CONSTANT_CONTACT_PKCE=0; without a secret, PKCE alone proves that it is you who connects"
        ]

    def _several_machines(self) -> list[str]:
        if self.instances == 1 or not self.store_url.startswith("sqlite"):
            return []
        return [
            "INSTANCES: with SQLite each machine would have its own sign-ups, tokens and daily quota;"
            " set DATABASE_URL to a PostgreSQL database"
        ]

    def _insecure_base_url(self) -> list[str]:
        parts = urlsplit(self.public_base_url or "")
        if self.production and parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
            return ["PUBLIC_BASE_URL: must start with https:// in production; passwords travel over it"]
        return []

    def _weak_keys(self) -> list[str]:
        # What seals in production is looked at more closely (weak_secrets).
        if any(len(key) < 16 for key in self.encryption_keys[1 if self.production else 0 :]):
            return ["ENCRYPTION_KEYS: each key needs 16 characters at least, better 32"]
        return []

    def weak_secrets(self) -> list[str]:
        """Secrets that are easily guessed, or are the same, each with its cure; never their values."""
        return secret_strength.weaknesses(
            {
                "SECRET_KEY": self.secret_key.get_secret_value(),
                # The first one seals. Older ones only open, and cannot be given up at once.
                "ENCRYPTION_KEYS": next(iter(self.encryption_keys), ""),
                **secret_strength.numbered("API_KEYS", self.api_keys),
                "DRAIN_TOKEN": self.drain_token.get_secret_value(),
            },
            {"ADMIN_PASSWORD": self.admin_password.get_secret_value()},
            others={"CONSTANT_CONTACT_CLIENT_SECRET": self.client_secret.get_secret_value()},
        )

    def _half_captchas(self) -> list[str]:
        problems = []
        for name, place in CAPTCHA_KEYS.items():
            keys = {f"{name}_SITE_KEY": self._captcha(name)[0], f"{name}_SECRET_KEY": self._captcha(name)[1]}
            missing = [variable for variable, key in keys.items() if not key]
            if len(missing) == 1:
                problems.append(f"{missing[0]} is missing: the captcha needs both keys, from {place}")
        return problems

    def _captcha(self, name: str) -> tuple[str, str]:
        site_key: str | None = getattr(self, f"{name.lower()}_site_key")
        secret_key: SecretStr = getattr(self, f"{name.lower()}_secret_key")
        return (site_key or "").strip(), secret_key.get_secret_value().strip()

    @property
    def captcha_keys(self) -> dict[str, tuple[str, str]]:
        """Site key and secret key of each captcha that is switched on, by its name in small letters."""
        return {name.lower(): keys for name in CAPTCHA_KEYS if all(keys := self._captcha(name))}

    def _foreign_vendor(self, name: str, url: str, vendor: str) -> list[str]:
        if url == vendor or not self.production or self.allow_custom_vendor_urls:
            return []
        return [f"{name}: production sends tokens to {vendor} only; remove the variable"]

    @property
    def production(self) -> bool:
        """Whether real people use this deployment."""
        return self.app_env == "production"

    @property
    def builtin_sandbox(self) -> bool:
        """Whether the app answers as Constant Contact itself: in development, until a client id is set."""
        return not self.production and self.client_id is None

    @property
    def public_client(self) -> bool:
        """Whether it connects without a secret, by PKCE alone, as the vendor's page pkce_flow has it."""
        return self.client_id is not None and not self.client_secret.get_secret_value()

    def uses_sandbox_application(self, sandbox_client_id: str) -> bool:
        """Whether the vendor is a sandbox, built in or on its own port."""
        return self.builtin_sandbox or (not self.production and self.client_id == sandbox_client_id)

    @property
    def store_url(self) -> str:
        """Where sign-ups live: DATABASE_URL, else an SQLite file in DATA_DIR."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'subscriber-sync.db'}"

    @property
    def listen_on(self) -> str:
        """Where to listen, as gunicorn takes it: BIND, with PORT where it names none.

        Without BIND, a service that believes a proxy in front listens for that proxy alone: whoever reached
        the port from elsewhere could claim any address. Where the host says which port to listen on, its own
        proxy is the only way in, and does not call from this machine.
        """
        behind_own_proxy = self.proxy_hops and not self.behind_platform
        host = "127.0.0.1" if behind_own_proxy or not self.production else "0.0.0.0"  # noqa: S104 - see above
        return listening.with_port(self.bind or host, self.port)

    @property
    def local_port(self) -> int:
        """The port by which this machine reaches the service."""
        return listening.port_of(self.bind or "") or self.port

    @property
    def fingerprint(self) -> str:
        """Tells this installation from a copy of its database elsewhere: same application, same host."""
        return hashlib.sha256(f"{self.client_id}|{self.installation}".encode()).hexdigest()[:16]

    @property
    def secure_cookies(self) -> bool:
        """Whether cookies carry Secure: always over HTTPS; plain HTTP is left to loopback and development."""
        if self.public_base_url is not None:
            return self.public_base_url.startswith("https://")
        return self.production

    def _lost_data(self, mounts: str) -> list[SettingsWarning]:
        """Only a warning: a service that does not start loses every sign-up, not those of one day."""
        if not self.production or not self.store_url.startswith("sqlite"):
            return []
        place = Path(self.store_url.partition(":///")[2].partition("?")[0]).absolute().parent.resolve()
        kind = _file_system(place, mounts)
        if kind not in VOLATILE_FILE_SYSTEMS:
            return []
        sentence = (
            f"Sign-ups and tokens are on a disk that ends with this machine or container ({kind}). "
            "Put DATA_DIR on a volume that stays, or set DATABASE_URL to a PostgreSQL database."
        )
        return [SettingsWarning("data_on_passing_disk", sentence, public=False)]

    def warnings(self, mounts: str | None = None) -> list[SettingsWarning]:
        """What works today and will hurt later, in plain sentences without values.

        `mounts` is the text of /proc/mounts, read where it is None.
        """
        found = self._lost_data(_mounts() if mounts is None else mounts)
        if self.published_on_replit and self.database_url is None:
            sentence = (
                "Sign-ups and tokens are on a disk that this host wipes at every publish. "
                "Add a PostgreSQL database (DATABASE_URL) before you connect Constant Contact."
            )
            found.append(SettingsWarning("data_wiped_at_publish", sentence, public=False))
        if self.production and self.public_base_url is None:
            sentence = (
                "PUBLIC_BASE_URL is not set, so Constant Contact cannot be connected, and no form be shown "
                "on another site. Set it to this service's https:// address."
            )
            found.append(SettingsWarning("public_base_url_missing", sentence, public=False))
        lengths = map(len, (self.secret_key.get_secret_value(), *self.encryption_keys))
        if self.production and min(lengths) < 32:
            sentence = (
                "SECRET_KEY or a key in ENCRYPTION_KEYS is shorter than 32 characters. Make longer ones."
            )
            found.append(SettingsWarning("secrets_short", sentence, public=False))
        return found


def _mounts() -> str:
    try:
        return Path("/proc/mounts").read_text()
    except OSError:
        return ""  # nothing is known of the disks outside Linux


def _file_system(place: Path, mounts: str) -> str:
    """The kind of file system that holds `place`: that of the innermost mount, of several the latest."""
    best = (Path("/"), "")
    for line in mounts.splitlines():
        _, mount_point, kind, *_ = line.split(" ")
        point = Path(mount_point.replace("\\040", " "))
        if place.is_relative_to(point) and len(point.parts) >= len(best[0].parts):
            best = (point, kind)
    return best[1]


def _open_by_mistake(values: Mapping[str, Any]) -> list[str]:
    """A service on the internet that was never told to be one would run without any of its protections."""
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


def _apply_host(values: dict[str, Any]) -> None:
    if values.get("REPLIT_DEPLOYMENT") == "1":
        values["APP_ENV"] = "production"
    # Replit's domains may change their order; the host the owner wrote down, or the app's own id, does not.
    # Without the port: the same service on another one is no copy.
    written = values.get("PUBLIC_BASE_URL", "")
    values[INSTALLATION] = written.partition("://")[2].partition("/")[0].partition(":")[0] or values.get(
        "REPL_ID", ""
    )
    domain = values.get("REPLIT_DOMAINS", "").split(",")[0].strip() or values.get("REPLIT_DEV_DOMAIN")
    if domain:
        values.setdefault("PUBLIC_BASE_URL", f"https://{domain}")
    if "REPL_ID" in values:
        # Replit ends TLS in front of us and forwards scheme and host in one hop.
        values.setdefault("PROXY_HOPS", "1")


def _missing_secrets(values: Mapping[str, Any]) -> list[str]:
    if values.get("APP_ENV") != "production":
        return []
    missing = [name for name in SECRETS_FOR_PRODUCTION if name not in values]
    if "CONSTANT_CONTACT_CLIENT_ID" in values:
        # An application may do without a secret: Settings.public_client.
        missing = [name for name in missing if name != "CONSTANT_CONTACT_CLIENT_SECRET"]
    return [f"{name} is missing: set it to {SECRETS_FOR_PRODUCTION[name]}" for name in missing]


def _generate_secrets(values: dict[str, Any]) -> None:
    """Fill in what development lacks from a file in DATA_DIR that only this user can read.

    Several processes may start at once: the first link wins and all read the winner's file.
    """
    missing = [name for name in GENERATED_IN_DEVELOPMENT if name not in values]
    if not missing:
        return
    folder = Path(values.get("DATA_DIR", "data"))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = folder / "development-secrets.env"
    if not kept.exists():
        draft = folder / f".secrets-{os.getpid()}-{secrets.token_hex(4)}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.writelines(f"{name}={secrets.token_urlsafe(32)}\n" for name in GENERATED_IN_DEVELOPMENT)
        try:
            os.link(draft, kept)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    generated = dotenv_values(kept)
    values.update({name: generated[name] for name in missing if generated.get(name)})
