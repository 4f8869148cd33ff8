"""What the environment decides."""

import os
import secrets
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from werkzeug.security import generate_password_hash

from settings import Settings, SettingsError
from settings.environment import SECRETS_FOR_PRODUCTION

PRODUCTION = {
    "APP_ENV": "production",
    "CONSTANT_CONTACT_CLIENT_ID": "client-id",
    "CONSTANT_CONTACT_CLIENT_SECRET": "client-secret",
    "SECRET_KEY": "7ab1d0e9f3c25846b0d97e61c8f4a235",
    "ENCRYPTION_KEYS": "e94c07b2a85f1d63f07ca9125e8b3d64",
    "ADMIN_PASSWORD": "correct horse",
    "PUBLIC_BASE_URL": "https://signup.example.org/",
    "PUBLIC_LIST_IDS": "0a6a1b52-3d2a-4a3c-9c5e-0f5a3c1d2e01",
}


def test_development_needs_nothing(tmp_path: Path) -> None:
    """An empty environment gives the sandbox, SQLite, and secrets that only this user can read."""
    settings = Settings.from_env({"DATA_DIR": str(tmp_path / "data")})
    assert settings.builtin_sandbox
    assert settings.store_url == f"sqlite:///{tmp_path}/data/subscriber-sync.db"
    kept = tmp_path / "data" / "development-secrets.env"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert settings.secret_key.get_secret_value() in kept.read_text()


def test_processes_that_start_at_once_agree_on_the_secrets(tmp_path: Path) -> None:
    """Sixteen simultaneous starts end with one and the same set of secrets."""
    environ = {"DATA_DIR": str(tmp_path / "data")}
    with ThreadPoolExecutor(16) as pool:
        starts = list(pool.map(lambda _: Settings.from_env(environ), range(16)))
    assert len({s.secret_key.get_secret_value() for s in starts}) == 1
    assert len({s.encryption_keys for s in starts}) == 1


def test_a_missing_secret_in_production_names_all_of_them() -> None:
    """One message names every missing variable, with its cure."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"APP_ENV": "production"})
    for name in SECRETS_FOR_PRODUCTION:
        assert f"{name} is missing: set it to" in str(caught.value)


@pytest.mark.parametrize("environ", [PRODUCTION, {"CONSTANT_CONTACT_CLIENT_ID": "client-id"}])
@pytest.mark.parametrize("secret", [{}, {"CONSTANT_CONTACT_CLIENT_SECRET": " "}])
@pytest.mark.parametrize("pkce", [{}, {"CONSTANT_CONTACT_PKCE": "1"}, {"CONSTANT_CONTACT_PKCE": "true"}])
def test_a_client_id_alone_is_a_public_application(
    environ: dict[str, str], secret: dict[str, str], pkce: dict[str, str], tmp_path: Path
) -> None:
    """The vendor's PKCE flow has no secret; an empty variable is one that is not set."""
    without = {name: value for name, value in environ.items() if name != "CONSTANT_CONTACT_CLIENT_SECRET"}
    settings = Settings.from_env({**without, **secret, **pkce, "DATA_DIR": str(tmp_path)})
    assert settings.public_client
    assert not settings.builtin_sandbox
    assert settings.client_secret.get_secret_value() == ""


def test_who_is_no_public_application(tmp_path: Path) -> None:
    """One with a secret, and the sandbox that is built in."""
    assert not Settings.from_env(PRODUCTION).public_client
    assert not Settings.from_env({"DATA_DIR": str(tmp_path)}).public_client


@pytest.mark.parametrize("pkce", ["0", "false", "no"])
@pytest.mark.parametrize("environ", [PRODUCTION, {"CONSTANT_CONTACT_CLIENT_ID": "client-id"}])
def test_without_a_secret_pkce_is_needed(environ: dict[str, str], pkce: str, tmp_path: Path) -> None:
    """Whoever caught a code could exchange it; with a secret PKCE may be switched off."""
    switched_off = {**environ, "CONSTANT_CONTACT_PKCE": pkce, "DATA_DIR": str(tmp_path)}
    with pytest.raises(SettingsError, match=r"CLIENT_SECRET is missing.*CONSTANT_CONTACT_PKCE"):
        Settings.from_env(switched_off | {"CONSTANT_CONTACT_CLIENT_SECRET": ""})
    assert not Settings.from_env(switched_off | {"CONSTANT_CONTACT_CLIENT_SECRET": "client-secret"}).pkce


def test_missing_and_wrong_are_reported_together() -> None:
    """A missing secret does not hide a bad number, nor the other way round."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"APP_ENV": "production", "SUBSCRIBE_WAIT_SECONDS": "long", "PORT": "0"})
    message = str(caught.value)
    assert all(name in message for name in ("SECRET_KEY", "SUBSCRIBE_WAIT_SECONDS", "PORT"))


def test_no_value_is_shown_with_a_problem_or_in_a_repr() -> None:
    """Messages and reprs hold no secret."""
    others = {"API_KEYS": "key-of-the-shop-0123456789", "DRAIN_TOKEN": "drain-token-0123456789"}
    settings = Settings.from_env(PRODUCTION | others)
    named = ("CONSTANT_CONTACT_CLIENT_SECRET", "SECRET_KEY", "ENCRYPTION_KEYS", "ADMIN_PASSWORD")
    for value in (*(PRODUCTION[name] for name in named), *others.values()):
        assert value not in repr(settings)
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(PRODUCTION | {"PORT": "not-a-port-but-a-secret"})
    assert "not-a-port-but-a-secret" not in str(caught.value)


def test_empty_variables_count_as_absent(tmp_path: Path) -> None:
    """Hosts that cannot delete a variable set it to nothing."""
    settings = Settings.from_env(
        {"DATA_DIR": str(tmp_path), "DATABASE_URL": "", "CONSTANT_CONTACT_CLIENT_ID": " "}
    )
    assert settings.builtin_sandbox
    assert settings.database_url is None


def test_an_env_file_fills_in_what_the_environment_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`.env` in the working directory is read, and the process's environment wins over it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "6001")
    (tmp_path / ".env").write_text("PORT=6000\nWEB_CONCURRENCY=3\n")
    settings = Settings.from_env()
    assert (settings.port, settings.web_concurrency) == (6001, 3)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"PUBLIC_BASE_URL": "https://a.example.org/"}, "https://a.example.org"),
        (
            {"REPLIT_DOMAINS": "b.replit.app,c.example.org", "REPLIT_DEV_DOMAIN": "d.dev"},
            "https://b.replit.app",
        ),
        ({"REPLIT_DEV_DOMAIN": "d.replit.dev"}, "https://d.replit.dev"),
        (
            {"PUBLIC_BASE_URL": "https://a.example.org", "REPLIT_DOMAINS": "b.replit.app"},
            "https://a.example.org",
        ),
        ({}, None),
    ],
)
def test_the_public_address(tmp_path: Path, environ: dict[str, str], expected: str | None) -> None:
    """PUBLIC_BASE_URL, else Replit's domains in their order, else the request's own in development."""
    chosen = {"APP_ENV": "development", "DATA_DIR": str(tmp_path)}
    assert Settings.from_env(chosen | environ).public_base_url == expected


def test_a_replit_deployment_is_production_whatever_app_env_says() -> None:
    """REPLIT_DEPLOYMENT=1 asks for production's secrets."""
    with pytest.raises(SettingsError, match="ADMIN_PASSWORD is missing"):
        Settings.from_env({"REPLIT_DEPLOYMENT": "1", "APP_ENV": "development"})


def test_sqlite_in_a_replit_deployment_is_warned_of() -> None:
    """The disk is wiped at each publish, and the warning says what to add."""
    settings = Settings.from_env(PRODUCTION | {"REPLIT_DEPLOYMENT": "1", "REPL_ID": "x"})
    assert any("DATABASE_URL" in warning.sentence for warning in settings.warnings())
    assert settings.proxy_hops == 1
    with_database = Settings.from_env(
        PRODUCTION | {"REPLIT_DEPLOYMENT": "1", "DATABASE_URL": "postgres://h/d"}
    )
    assert with_database.warnings() == []


@pytest.mark.parametrize("name", ["CONSTANT_CONTACT_API_URL", "CONSTANT_CONTACT_AUTH_URL"])
def test_production_sends_tokens_to_the_vendor_only(name: str) -> None:
    """Another host is refused in production unless it is allowed in so many words."""
    environ = PRODUCTION | {name: "http://127.0.0.1:5001/v3"}
    with pytest.raises(SettingsError, match=name):
        Settings.from_env(environ)
    assert Settings.from_env(environ | {"ALLOW_CUSTOM_VENDOR_URLS": "1"})


@pytest.mark.parametrize(
    ("environ", "secure"),
    [
        (PRODUCTION, True),
        ({k: v for k, v in PRODUCTION.items() if k != "PUBLIC_BASE_URL"}, True),
        (PRODUCTION | {"PUBLIC_BASE_URL": "http://127.0.0.1:5000"}, False),
        ({"REPLIT_DEV_DOMAIN": "d.replit.dev"}, True),
        ({}, False),
    ],
)
def test_cookies_are_secure_except_on_plain_loopback_and_in_development(
    tmp_path: Path, environ: dict[str, str], secure: bool
) -> None:
    """Only a deployment that speaks plain HTTP to this machine goes without Secure."""
    assert Settings.from_env({"DATA_DIR": str(tmp_path), **environ}).secure_cookies is secure


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_BASE_URL", "http://signup.example.org"),
        ("PUBLIC_BASE_URL", "signup.example.org"),
        ("ALLOWED_ORIGINS", "https://www.example.org/page"),
        ("ALLOWED_ORIGINS", "*"),
        ("ALLOWED_ORIGINS", "https://i❤.example"),
        ("ALLOWED_ORIGINS", "https://a b.example"),
        ("PUBLIC_LIST_IDS", "newsletter"),
        ("DELIVERY", "sometimes"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str) -> None:
    """What cannot be meant is refused at the start."""
    with pytest.raises(SettingsError, match=name):
        Settings.from_env(PRODUCTION | {name: value})


def test_a_name_of_another_script_is_written_as_browsers_send_it() -> None:
    """As typed it would match no Origin header; what no browser looks up is refused in a sentence."""
    settings = Settings.from_env(
        PRODUCTION
        | {
            "ALLOWED_ORIGINS": "https://München.example:8443, https://straße.example/, https://www.example.org",
            "PUBLIC_BASE_URL": "https://anmeldung.bücher.example/",
        }
    )
    assert settings.allowed_origins == (
        "https://xn--mnchen-3ya.example:8443",
        "https://xn--strae-oqa.example",
        "https://www.example.org",
    )
    assert settings.public_base_url == "https://anmeldung.xn--bcher-kva.example"
    with pytest.raises(SettingsError, match=r"ALLOWED_ORIGINS: “i❤.example” is no name that browsers"):
        Settings.from_env(PRODUCTION | {"ALLOWED_ORIGINS": "https://i❤.example"})


def test_the_fingerprint_tells_a_copy_from_the_original(tmp_path: Path) -> None:
    """Another address or another application is another installation; Replit's order of domains is not."""
    original = Settings.from_env(PRODUCTION).fingerprint
    staging = PRODUCTION | {"PUBLIC_BASE_URL": "https://staging.example.org"}
    assert Settings.from_env(staging).fingerprint != original
    assert Settings.from_env(PRODUCTION | {"CONSTANT_CONTACT_CLIENT_ID": "other"}).fingerprint != original
    moved = PRODUCTION | {"PUBLIC_BASE_URL": "https://signup.example.org:8443"}
    assert Settings.from_env(moved).fingerprint == original
    assert (
        Settings.from_env(
            PRODUCTION | {"SECRET_KEY": "c8f4a2357ab1d0e9f3c25846b0d97e61", "PORT": "81"}
        ).fingerprint
        == original
    )
    replit = {"DATA_DIR": str(tmp_path), "REPL_ID": "r-1"}
    one = Settings.from_env(replit | {"REPLIT_DOMAINS": "a.replit.app,b.example.org"})
    other = Settings.from_env(replit | {"REPLIT_DOMAINS": "b.example.org,a.replit.app"})
    assert one.fingerprint == other.fingerprint


MOUNTS = """\
overlay / overlay rw 0 0
/dev/vda /srv/my\\040data ext4 rw 0 0
tmpfs /srv/my\\040data/fast tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/app/data", "overlay"),
        ("/srv/my data/here", None),
        ("/srv/my data/fast/here", "tmpfs"),
        ("/srv/my data/faster", None),
    ],
)
def test_a_file_that_ends_with_the_machine_is_warned_of_in_production(place: str, kind: str | None) -> None:
    """Memory and a container's layer lose what was acknowledged; a database elsewhere does not."""

    def told(**environ: str) -> list[str]:
        found = Settings.from_env(PRODUCTION | {"DATA_DIR": place, **environ}).warnings(MOUNTS)
        return [each.sentence for each in found if each.code == "data_on_passing_disk"]

    assert [f"({kind})" in warning for warning in told()] == ([True] if kind else [])
    assert told(DATABASE_URL="postgresql://host/app") == []
    assert told(APP_ENV="development") == []


def test_several_machines_need_postgresql() -> None:
    """SQLite on two machines would be two services with one quota and one rotating token."""
    with pytest.raises(SettingsError, match=r"INSTANCES.*PostgreSQL"):
        Settings.from_env(PRODUCTION | {"INSTANCES": "2"})
    assert Settings.from_env(PRODUCTION | {"INSTANCES": "2", "DATABASE_URL": "postgresql://host/app"})


@pytest.mark.parametrize("name", ["TURNSTILE", "HCAPTCHA", "RECAPTCHA"])
@pytest.mark.parametrize("missing", ["SITE_KEY", "SECRET_KEY"])
def test_half_a_captcha_is_refused_with_where_to_find_the_rest(name: str, missing: str) -> None:
    """One key alone would leave a form's visitors unguarded, or all of them suspected."""
    both = {f"{name}_SITE_KEY": "site", f"{name}_SECRET_KEY": "secret"}
    half = {variable: value for variable, value in both.items() if not variable.endswith(missing)}
    with pytest.raises(SettingsError, match=rf"{name}_{missing} is missing: .*, from \w+"):
        Settings.from_env(PRODUCTION | half)


def test_a_captcha_is_switched_on_by_its_keys() -> None:
    """Each by its own; none is on by default."""
    assert Settings.from_env(PRODUCTION).captcha_keys == {}
    keys = {"HCAPTCHA_SITE_KEY": "site", "HCAPTCHA_SECRET_KEY": "secret", "TURNSTILE_SITE_KEY": " "}
    assert Settings.from_env(PRODUCTION | keys).captcha_keys == {"hcaptcha": ("site", "secret")}


GOOD_KEY = "3f9a1c7e5b2d8046af61"
WEAK = {
    "too short": "k1",
    "one character": "s" * 40,
    "two by turns": "ab" * 20,
    "one part again and again": "x7Kq2" * 8,
    "a part cut off at the end": "x7Kq2mP9zx7Kq2mP9zx7Kq2",
    "counting up": "abcdefghijklmnopqrstuvwxyz0123456789",
    "counting down": "9876543210" * 3,
    "pairs": "aabbccddeeffgghh",
    "a keyboard": "qwertyuiopasdfghjkl",
    "a well-known word": "changeme-changeme",
    "with digits for letters": "P4ssw0rd-s3cret-4dm1n",
    "one that asks to be replaced": "your-own-random-string-goes-in-this-place",
    "another one": "replace-with-32-random-characters",
}


@pytest.mark.parametrize("name", ["SECRET_KEY", "ENCRYPTION_KEYS", "API_KEYS", "DRAIN_TOKEN"])
@pytest.mark.parametrize("value", WEAK.values(), ids=WEAK)
def test_a_weak_key_stops_production(name: str, value: str) -> None:
    """What is short, repeats, counts or is a word; the message has name and cure, and never the value."""
    with pytest.raises(SettingsError, match=rf"{name} is easily guessed: .*openssl rand") as caught:
        Settings.from_env(PRODUCTION | {name: value})
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    ["a", "dev", "changeme", "Passw0rd123!", "hunter22", "aaaaaaaaaa", "12345678", "adminadmin"],
)
def test_a_weak_password_stops_production(value: str) -> None:
    """Also with capitals, digits and signs where everybody puts them."""
    with pytest.raises(SettingsError, match=r"ADMIN_PASSWORD is easily guessed: .* four words"):
        Settings.from_env(PRODUCTION | {"ADMIN_PASSWORD": value})


def test_half_a_hash_is_no_password() -> None:
    """Taken for a hash, it would let nobody in."""
    for value in ("scrypt:x", "scrypt:32768:8:1$salt$", generate_password_hash("a", "scrypt")[:-70]):
        with pytest.raises(SettingsError, match="ADMIN_PASSWORD begins like a hash and is none"):
            Settings.from_env(PRODUCTION | {"ADMIN_PASSWORD": value})


def test_good_secrets_start(tmp_path: Path) -> None:
    """Drawn by lot in any notation, several words, and the hash of a password."""
    for _ in range(200):
        for key in (secrets.token_hex(12), secrets.token_urlsafe(32), str(uuid4()), GOOD_KEY):
            assert Settings.from_env(PRODUCTION | {"SECRET_KEY": key}).production
    for password in ("correct horse", "x7Kq2mP9", generate_password_hash("a", "scrypt")):
        assert Settings.from_env(PRODUCTION | {"ADMIN_PASSWORD": password}).production
    several = {"API_KEYS": f"key-of-the-shop-0123456789,{GOOD_KEY}", "DRAIN_TOKEN": "drain-token-0123456789"}
    assert Settings.from_env(PRODUCTION | several).production


def test_one_message_names_every_weak_secret() -> None:
    """The missing ones too, each once; of a list by the place."""
    weak = {
        "SECRET_KEY": "dev",
        "ENCRYPTION_KEYS": "e" * 32,
        "API_KEYS": f"{GOOD_KEY},k1",
        "DRAIN_TOKEN": "t",
    }
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(PRODUCTION | weak | {"ADMIN_PASSWORD": ""})
    message = str(caught.value)
    assert "ADMIN_PASSWORD is missing" in message
    for name in ("SECRET_KEY", "ENCRYPTION_KEYS", r"API_KEYS (no. 2)", "DRAIN_TOKEN"):
        assert message.count(f"{name} is easily guessed") == 1
    assert "no. 1" not in message


@pytest.mark.parametrize(
    "names",
    [
        ("SECRET_KEY", "ENCRYPTION_KEYS"),
        ("SECRET_KEY", "DRAIN_TOKEN"),
        ("API_KEYS", "DRAIN_TOKEN"),
        ("API_KEYS", "ADMIN_PASSWORD"),
        ("SECRET_KEY", "CONSTANT_CONTACT_CLIENT_SECRET"),
    ],
)
def test_a_secret_stands_for_one_thing(names: tuple[str, str]) -> None:
    """Who learns one of two that are the same has both."""
    with pytest.raises(SettingsError, match=f"{names[0]} and {names[1]} are the same"):
        Settings.from_env(PRODUCTION | dict.fromkeys(names, GOOD_KEY))


def test_an_old_encryption_key_may_be_weak() -> None:
    """It opens what it sealed until that is sealed anew; giving it up would end the connection."""
    assert Settings.from_env(PRODUCTION | {"ENCRYPTION_KEYS": f"{GOOD_KEY},{'e' * 32}"}).production
    with pytest.raises(SettingsError, match="ENCRYPTION_KEYS is easily guessed"):
        Settings.from_env(PRODUCTION | {"ENCRYPTION_KEYS": f"{'e' * 32},{GOOD_KEY}"})


def test_development_starts_with_weak_secrets_and_says_so(tmp_path: Path) -> None:
    """A first try is not the place for `openssl rand`."""
    weak = {"SECRET_KEY": "dev", "ADMIN_PASSWORD": "a", "API_KEYS": "k1"}
    settings = Settings.from_env({"DATA_DIR": str(tmp_path)} | weak)
    assert [sentence.split()[0] for sentence in settings.weak_secrets()] == [
        "SECRET_KEY",
        "API_KEYS",
        "ADMIN_PASSWORD",
    ]
    assert Settings.from_env({"DATA_DIR": str(tmp_path)}).weak_secrets() == []


PUBLIC = "https://signup.example.org"


@pytest.mark.parametrize(
    ("environ", "starts"),
    [
        ({"PUBLIC_BASE_URL": PUBLIC}, False),
        ({"PUBLIC_BASE_URL": " HTTPS://signup.example.org/ ", "APP_ENV": " "}, False),
        ({"PUBLIC_BASE_URL": "https://8.8.8.8"}, False),
        ({"PUBLIC_BASE_URL": PUBLIC, "REPLIT_DEV_DOMAIN": "d.replit.dev"}, False),
        ({"PUBLIC_BASE_URL": PUBLIC, "APP_ENV": "development"}, True),
        ({"PUBLIC_BASE_URL": "https://d.replit.dev", "REPLIT_DEV_DOMAIN": "d.replit.dev"}, True),
        ({"REPLIT_DOMAINS": "d.replit.dev", "REPLIT_DEV_DOMAIN": "d.replit.dev", "REPL_ID": "r"}, True),
        ({"PUBLIC_BASE_URL": "https://localhost:8443"}, True),
        ({"PUBLIC_BASE_URL": "https://app.localhost"}, True),
        ({"PUBLIC_BASE_URL": "https://127.0.0.1"}, True),
        ({"PUBLIC_BASE_URL": "https://192.168.1.5"}, True),
        ({"PUBLIC_BASE_URL": "http://signup.example.org"}, True),
        ({}, True),
    ],
)
def test_a_public_address_asks_which_environment_it_is(
    tmp_path: Path, environ: dict[str, str], *, starts: bool
) -> None:
    """A service on the internet that runs as development by mistake would have none of its protections."""
    folder = tmp_path / "data"
    if starts:
        assert not Settings.from_env({"DATA_DIR": str(folder), **environ}).production
        return
    with pytest.raises(SettingsError, match=r"APP_ENV is missing.*APP_ENV=production"):
        Settings.from_env({"DATA_DIR": str(folder), **environ})
    assert not folder.exists()


ANYWHERE, OWN_MACHINE = "0.0.0.0:5000", "127.0.0.1:5000"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ANYWHERE),
        ({"PROXY_HOPS": "1"}, OWN_MACHINE),
        ({"PROXY_HOPS": "2"}, OWN_MACHINE),
        ({"PROXY_HOPS": "1", "PORT": "8080"}, "0.0.0.0:8080"),
        ({"REPL_ID": "r-1"}, ANYWHERE),
        ({"REPLIT_DEPLOYMENT": "1", "REPL_ID": "r-1"}, ANYWHERE),
        ({"PROXY_HOPS": "1", "BIND": "0.0.0.0"}, ANYWHERE),
        ({"PROXY_HOPS": "1", "BIND": "10.0.0.5:8000"}, "10.0.0.5:8000"),
        ({"PROXY_HOPS": "1", "PORT": "8080", "BIND": "127.0.0.1"}, "127.0.0.1:8080"),
        ({"BIND": "127.0.0.1:9000", "PORT": "8080"}, "127.0.0.1:9000"),
        ({"BIND": "localhost"}, "localhost:5000"),
        ({"BIND": "::1"}, "[::1]:5000"),
        ({"BIND": "[::]:9000"}, "[::]:9000"),
        ({"BIND": "unix:/run/signup.sock"}, "unix:/run/signup.sock"),
        ({"BIND": "fd://3"}, "fd://3"),
        ({"APP_ENV": "development"}, OWN_MACHINE),
        ({"APP_ENV": "development", "PORT": "8080", "PROXY_HOPS": "1"}, "127.0.0.1:8080"),
    ],
)
def test_where_it_listens(tmp_path: Path, environ: dict[str, str], expected: str) -> None:
    """Behind a proxy of one's own on this machine alone; where BIND says; where a platform needs it."""
    assert Settings.from_env(PRODUCTION | {"DATA_DIR": str(tmp_path)} | environ).listen_on == expected


@pytest.mark.parametrize("given", ["process", "file", "both"])
def test_a_port_that_somebody_wrote_down_is_no_platforms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """A PORT of the process's environment is the host's, unless the owner's .env names one as well."""
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.startswith(("REPL", "PORT", "BIND")):
            monkeypatch.delenv(name)
    lines = PRODUCTION | {"PROXY_HOPS": "1"}
    if given != "file":
        monkeypatch.setenv("PORT", "8080")
    if given != "process":
        lines["PORT"] = "8080"
    (tmp_path / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in lines.items()))
    assert Settings.from_env().listen_on == ("0.0.0.0:8080" if given == "process" else "127.0.0.1:8080")


@pytest.mark.parametrize(
    "bind",
    ["everywhere now", "127.0.0.1:0", "127.0.0.1:70000", "[127.0.0.1]", "[::1", "http://x", ":80", "a:b"],
)
def test_a_bind_that_cannot_be_meant_is_refused(bind: str) -> None:
    """At the start, by name."""
    with pytest.raises(SettingsError, match="BIND"):
        Settings.from_env(PRODUCTION | {"BIND": bind})
