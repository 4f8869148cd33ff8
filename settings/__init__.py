"""The settings of a deployment, read from the environment once, typed and frozen.

`Settings.from_env()` reports every problem at once, each by the variable's name and with its cure. Empty
variables count as absent, because many hosts cannot delete one.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from settings import alerts, environment, listening, secret_strength
from settings.environment import BEHIND_PLATFORM, INSTALLATION
from settings.values import CommaList, ListIds, Networks, Origins, Url

VENDOR_API_URL = "https://api.cc.email/v3"
VENDOR_AUTH_URL = "https://authz.constantcontact.com/oauth2/default/v1"
THREADS_PER_WORKER = 8
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

# In memory, or in the writable layer of a container, which is deleted with the container.
VOLATILE_FILE_SYSTEMS = frozenset({"tmpfs", "ramfs", "overlay", "aufs"})
# The prefix of a captcha's variables, and where its two keys are found.
CAPTCHA_KEYS = {
    "TURNSTILE": "Cloudflare's dashboard, under Turnstile",
    "HCAPTCHA": "hCaptcha's dashboard (the secret is under Settings)",
    "RECAPTCHA": "Google's reCAPTCHA console, for the checkbox of version 2",
}


@dataclass(frozen=True)
class SettingsWarning:
    """A setting that works today and will cause harm later.

    `code` is snake_case and stays when the sentence is reworded. `public` is False where the sentence tells
    of a secret or a weakness.
    """

    code: str
    sentence: str
    public: bool = True


class SettingsError(Exception):
    """The environment cannot be used; the message lists every problem with its cure."""

    def __init__(self, problems: list[str]) -> None:
        """`problems` are sentences, which keep their order."""
        self.problems = tuple(problems)
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(
            f"Subscriber Sync cannot start:\n{lines}\nEvery setting is described in .env.example."
        )


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
    # None: a multiple of the limit by the minute, see services/protection.
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
    smtp_url: alerts.Smtp | None = Field(None, alias="SMTP_URL", repr=False)
    mail_from: alerts.Sender | None = Field(None, alias="MAIL_FROM")
    alert_emails: alerts.Addresses = Field((), alias="ALERT_EMAILS")
    alert_webhook_url: alerts.WebhookUrl | None = Field(None, alias="ALERT_WEBHOOK_URL", repr=False)
    alert_webhook_secret: alerts.WebhookSecret = Field(b"", alias="ALERT_WEBHOOK_SECRET", repr=False)
    port: int = Field(5000, alias="PORT", ge=1, le=65535)
    web_concurrency: int = Field(2, alias="WEB_CONCURRENCY", ge=1, le=64)
    published_on_replit: bool = Field(False, alias="REPLIT_DEPLOYMENT")
    behind_platform: bool = Field(False, alias=BEHIND_PLATFORM)
    installation: str = Field("", alias=INSTALLATION)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read `environ`, by default the process's environment over a `.env` file in the working directory.

        Raises:
            SettingsError: variables are missing or wrong; the message names each with its cure.
        """
        if environ is None:
            written = {name: value or "" for name, value in dotenv_values(".env").items()}
            environ = {**written, **os.environ}
        else:
            written = {}
        values: dict[str, Any] = {name: value for name, value in environ.items() if value.strip()}
        problems = environment.open_by_mistake(values)
        environment.apply_host(values)
        port_of_host = "PORT" in values and not written.get("PORT", "").strip()
        values[BEHIND_PLATFORM] = port_of_host or "REPL_ID" in values
        problems += environment.missing_secrets(values)
        if values.get("APP_ENV") != "production" and not problems:
            environment.generate_secrets(values)
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
            *self._half_alerts(),
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
        # In production `weak_secrets` examines the first key, which encrypts, more closely.
        if any(len(key) < 16 for key in self.encryption_keys[1 if self.production else 0 :]):
            return ["ENCRYPTION_KEYS: each key needs 16 characters at least, better 32"]
        return []

    def weak_secrets(self) -> list[str]:
        """Return a sentence with the cure, and no value, for each secret that is weak or used twice."""
        return secret_strength.weaknesses(
            {
                "SECRET_KEY": self.secret_key.get_secret_value(),
                # The first one encrypts. Older ones only decrypt, and cannot be replaced at once.
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

    def _half_alerts(self) -> list[str]:
        values: dict[str, object] = {
            "SMTP_URL": self.smtp_url,
            "MAIL_FROM": self.mail_from,
            "ALERT_EMAILS": self.alert_emails,
            "ALERT_WEBHOOK_URL": self.alert_webhook_url,
            "ALERT_WEBHOOK_SECRET": self.alert_webhook_secret,
        }
        return alerts.halves(values, sandbox=self.builtin_sandbox)

    def _captcha(self, name: str) -> tuple[str, str]:
        site_key: str | None = getattr(self, f"{name.lower()}_site_key")
        secret_key: SecretStr = getattr(self, f"{name.lower()}_secret_key")
        return (site_key or "").strip(), secret_key.get_secret_value().strip()

    @property
    def captcha_keys(self) -> dict[str, tuple[str, str]]:
        """Site key and secret key of each captcha that is switched on, by its name in lower case."""
        return {name.lower(): keys for name in CAPTCHA_KEYS if all(keys := self._captcha(name))}

    def _foreign_vendor(self, name: str, url: str, vendor: str) -> list[str]:
        if url == vendor or not self.production or self.allow_custom_vendor_urls:
            return []
        return [f"{name}: production sends tokens to {vendor} only; remove the variable"]

    @property
    def production(self) -> bool:
        """Whether APP_ENV is production: visitors use this deployment."""
        return self.app_env == "production"

    @property
    def builtin_sandbox(self) -> bool:
        """Whether the app answers as Constant Contact itself: in development, until a client id is set."""
        return not self.production and self.client_id is None

    @property
    def public_client(self) -> bool:
        """Whether the service connects without a secret, by PKCE alone (vendor page: pkce_flow)."""
        return self.client_id is not None and not self.client_secret.get_secret_value()

    def uses_sandbox_application(self, sandbox_client_id: str) -> bool:
        """Return whether the vendor is a sandbox, built in or on its own port."""
        return self.builtin_sandbox or (not self.production and self.client_id == sandbox_client_id)

    @property
    def store_url(self) -> str:
        """The database's URL: DATABASE_URL, else an SQLite file in DATA_DIR."""
        return self.database_url or f"sqlite:///{self.data_dir.resolve() / 'subscriber-sync.db'}"

    @property
    def listen_on(self) -> str:
        """Where to listen, in gunicorn's notation: BIND, with PORT where it names no port.

        Without BIND, a service that trusts a proxy in front listens on loopback, for that proxy alone: a
        caller that reached the port from elsewhere could claim any address. Where the host sets PORT, its own
        proxy is the only way in, and does not call from this machine.
        """
        behind_own_proxy = self.proxy_hops and not self.behind_platform
        host = "127.0.0.1" if behind_own_proxy or not self.production else "0.0.0.0"  # noqa: S104 - see above
        return listening.with_port(self.bind or host, self.port)

    @property
    def local_port(self) -> int:
        """The port on which this machine reaches the service."""
        return listening.port_of(self.bind or "") or self.port

    @property
    def fingerprint(self) -> str:
        """A hash of application and host, which differs where a copy of the database is used elsewhere."""
        return hashlib.sha256(f"{self.client_id}|{self.installation}".encode()).hexdigest()[:16]

    @property
    def secure_cookies(self) -> bool:
        """Whether cookies are Secure: PUBLIC_BASE_URL begins with https://, or is missing in production."""
        if self.public_base_url is not None:
            return self.public_base_url.startswith("https://")
        return self.production

    def _volatile_data(self, mounts: str) -> list[SettingsWarning]:
        """Return a warning, no error: a service that does not start loses all sign-ups, not a day's."""
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
        """Return the warnings, in plain sentences without values of secrets.

        `mounts` is the text of /proc/mounts, which is read where it is None.
        """
        found = self._volatile_data(_mounts() if mounts is None else mounts)
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
        return ""  # outside Linux nothing is known of the disks


def _file_system(place: Path, mounts: str) -> str:
    """Return the type of the file system at `place`: that of the innermost mount, of several the latest."""
    best = (Path("/"), "")
    for line in mounts.splitlines():
        _, mount_point, kind, *_ = line.split(" ")
        point = Path(mount_point.replace("\\040", " "))
        if place.is_relative_to(point) and len(point.parts) >= len(best[0].parts):
            best = (point, kind)
    return best[1]
