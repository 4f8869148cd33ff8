"""Every setting, route and command is documented, and nothing else is."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from settings import Settings
from settings.environment import BEHIND_PLATFORM, INSTALLATION
from tests.clients.front_ends.cases import IN_BROWSER, table
from wiring.operations import VERSION

ROOT = Path(__file__).parents[2]
# The host's own variables, which nobody sets by hand.
OF_THE_HOST = {"REPLIT_DEPLOYMENT", INSTALLATION, BEHIND_PLATFORM}


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return create_app(Settings.from_env({"DATA_DIR": str(tmp_path)}))


def settings_names() -> set[str]:
    return {str(field.alias) for field in Settings.model_fields.values()} - OF_THE_HOST


def test_every_setting_is_in_the_example_file() -> None:
    """.env.example lists exactly the settings that are read, none with a value."""
    lines = re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert {name for name, _ in lines} == settings_names()
    assert all(value == "" for _, value in lines)


def test_every_setting_is_in_the_readme() -> None:
    """The table of settings in the README is complete and has no dead row."""
    rows = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert set(rows) == settings_names()


def test_every_route_is_in_the_http_documentation(app: Flask) -> None:
    """docs/http-api.md has a row for each route and method."""
    documented = set()
    for methods, path in re.findall(
        r"^\| ([^|]*?)(/\S*)` \|", (ROOT / "docs/http-api.md").read_text(), re.MULTILINE
    ):
        documented |= {f"{method} {path}" for method in re.findall(r"GET|POST|PUT|DELETE", methods)}
    served = set()
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: f"<{match[1].removeprefix('signup_')}>", rule.rule)
        served |= {f"{method} {path}" for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    served -= {"GET /static/<filename>", "GET /admin"}
    assert documented == served


def test_every_command_is_in_the_readme(app: Flask) -> None:
    """Each `flask` command of ours has a row."""
    own = set(app.cli.commands)
    rows = set(re.findall(r"^\| `flask ([\w-]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert rows == own


def test_every_make_target_that_people_use_is_in_the_readme() -> None:
    """The targets named in the Makefile's first line are explained."""
    first = (ROOT / "Makefile").read_text().splitlines()[0]
    targets = re.findall(r"make \w+", first)
    assert targets
    readme = (ROOT / "README.md").read_text()
    assert [target for target in targets if f"`{target}`" not in readme] == []


def test_the_table_of_front_ends_is_what_the_tests_try() -> None:
    """Each row of docs/forms.md is a case of the front ends and the reverse; each page of theirs is used."""
    assert f"\n\n{table()}\n" in (ROOT / "docs/forms.md").read_text()
    folder = ROOT / "tests/clients/front_ends/pages"
    pages = {str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.html")}
    # Another page shows it.
    assert pages == {case.page for case in IN_BROWSER} | {"line/in-body"}


def test_locks_of_npm_name_versions_and_no_place() -> None:
    """Whoever runs them takes the packages from a registry of their own choice, and checks their sums."""
    locks = list(ROOT.glob("tests/clients/*/package-lock.json"))
    assert locks
    for lock in locks:
        packages = json.loads(lock.read_text())["packages"]
        assert [name for name, package in packages.items() if "resolved" in package] == []
        assert [name for name, package in packages.items() if name and "integrity" not in package] == []


def test_links_in_the_documents_lead_somewhere() -> None:
    """Each relative link names a file that exists."""
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("sandbox/*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_files_that_the_guide_names_exist() -> None:
    """What CONTRIBUTING.md and the glossary send a newcomer to is there."""
    for document in ("CONTRIBUTING.md", "docs/glossary.md"):
        named = re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", (ROOT / document).read_text())
        assert named
        assert [path for path in named if not (ROOT / path).exists()] == []


def test_each_promise_of_security_names_tests_that_exist() -> None:
    """A promise whose test was renamed or removed would be kept by nobody."""
    text = (ROOT / "docs/security.md").read_text()
    named = re.findall(r"`((?:\w+/)*test_\w+\.py)(?:::(test_\w+))?`", text)
    files = [file for file, _ in named]
    assert len(files) > 30
    assert [file for file in files if not (ROOT / "tests" / file).is_file()] == []
    tests = [(file, test) for file, test in named if test]
    assert tests
    missing = [test for file, test in tests if f"def {test}(" not in (ROOT / "tests" / file).read_text()]
    assert missing == []


def test_one_version_everywhere() -> None:
    """/health and pyproject.toml tell the same version."""
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_replit_starts_the_app_as_gunicorn_users_do() -> None:
    """.replit parses, exposes one port, holds no secret, and runs the documented start command."""
    replit = tomllib.loads((ROOT / ".replit").read_text())
    assert "gunicorn" in replit["run"]
    assert "'app:create_app()'" in replit["run"]
    assert replit["deployment"]["run"][-1] == "app:create_app()"
    assert [port["externalPort"] for port in replit["ports"]] == [80]
    assert set(replit["env"]) == {"PYTHONUNBUFFERED"}
