"""Every import is one that docs/architecture.md allows: its tables are read, and are all there is to read."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "architecture.md"
OUTSIDE = {
    "flask": {"flask", "flask_wtf"},
    "SQL": {"sqlalchemy", "alembic", "psycopg", "pysqlite3", "sqlite3"},
}
NOT_THE_PRODUCT = {"tests", "bench"}


@dataclass(frozen=True)
class Rule:
    """What one package may import: prefixes of our modules, and outside packages that it never imports."""

    ours: frozenset[str]
    never: frozenset[str]
    # A forbidden outside package, and the places below ours where it is allowed all the same.
    except_in: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Import:
    """One import: who imports, and the module of ours or the outside package that is imported."""

    importer: str
    imported: str


def table(heading: str) -> list[list[str]]:
    """The cells of the table whose first heading is that one."""
    lines = DOCUMENT.read_text().split(f"\n| {heading} |", 1)[1].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def rule(allowed: str, forbidden: str) -> Rule:
    """The rule of one row."""
    never: set[str] = set()
    except_in: dict[str, tuple[str, ...]] = {}
    for part in filter(None, re.split(r"[;,] *", forbidden)):
        name, _, but = part.partition(" but in ")
        packages = OUTSIDE.get(name, {name})
        never |= packages
        except_in |= {package: tuple(re.findall(r"`([^`]+)`", but)) for package in packages if but}
    return Rule(frozenset(re.findall(r"`([^`]+)`", allowed)), frozenset(never), except_in)


RULES = {name.strip("`"): rule(allowed, never) for name, allowed, never in table("package")}
FLOORS = {
    name.strip("`"): [set(re.findall(r"`([^`]+)`", floor)) for floor in floors.split("→")]
    for name, floors in table("inside")
}


@cache
def modules(root: Path) -> dict[str, Path]:
    """Our modules by their dotted names, without tests and benchmarks."""
    paths = [*root.glob("*.py")]
    for package in root.glob("*/"):
        if package.name not in NOT_THE_PRODUCT and not package.name.startswith("."):
            paths += package.rglob("*.py")
    return {_name(path.relative_to(root)): path for path in paths}


def _name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imports(root: Path) -> Iterator[Import]:
    """Every import of every module, wherever in the file it stands."""
    known = modules(root)
    for name, path in known.items():
        for node in ast.walk(ast.parse(path.read_text())):
            for imported in _imported(node, known):
                yield Import(name, imported)


def _imported(node: ast.AST, known: Iterable[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert not node.level, "imports are absolute"
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if name in known else node.module or "" for name in names]
    return []


def package_of(module: str) -> str:
    """The row that a module belongs to."""
    return module if module in RULES else module.split(".", maxsplit=1)[0]


def forbidden(root: Path) -> list[str]:
    """Every import that the table of packages forbids, as "module imports module"."""
    found = []
    for each in imports(root):
        own, rule = package_of(each.importer), RULES[package_of(each.importer)]
        other = package_of(each.imported)
        if other in RULES:
            allowed = other == own or any(_within(each.imported, prefix) for prefix in rule.ours)
        else:
            places = rule.except_in.get(other, ())
            below = each.importer.partition(".")[2].replace(".", "/")
            allowed = other not in rule.never or any(
                _within(below, place.removesuffix(".py"), "/") for place in places
            )
        if not allowed:
            found.append(f"{each.importer} imports {each.imported}")
    return sorted(set(found))


def _within(module: str, prefix: str, mark: str = ".") -> bool:
    return module == prefix or module.startswith(prefix + mark)


def upwards(root: Path) -> list[str]:
    """Every import inside a package that does not go down a floor, as "module imports module"."""
    found = []
    for package, floors in FLOORS.items():
        for each in imports(root):
            if _within(each.importer, package) and _within(each.imported, package):
                here, there = (_room(module, package) for module in (each.importer, each.imported))
                if here != there and not _floor(here, floors) < _floor(there, floors):
                    found.append(f"{each.importer} imports {each.imported}")
    return sorted(set(found))


def _room(module: str, package: str) -> str:
    return module.removeprefix(package).strip(".").split(".")[0] or "__init__"


def _floor(room: str, floors: list[set[str]]) -> int:
    (floor,) = (number for number, rooms in enumerate(floors) if room in rooms)
    return floor


def circles(root: Path) -> list[str]:
    """Modules that import each other, at once or around; found by taking away who imports nobody left."""
    left: dict[str, set[str]] = {name: set() for name in modules(root)}
    for each in imports(root):
        if each.imported in left and each.imported != each.importer:
            left[each.importer].add(each.imported)
    while done := {name for name, others in left.items() if not others & left.keys()}:
        left = {name: others for name, others in left.items() if name not in done}
    return sorted(left)


def test_every_package_imports_only_what_it_may() -> None:
    """No import breaks the table of packages."""
    assert forbidden(ROOT) == []


def test_what_a_package_may_import_is_needed() -> None:
    """The table allows no import that nobody makes."""
    made = {(package_of(each.importer), each.imported) for each in imports(ROOT)}
    unused = [
        (package, prefix)
        for package, rule in RULES.items()
        for prefix in rule.ours
        if not any(importer == package and _within(imported, prefix) for importer, imported in made)
    ]
    assert unused == []


def test_imports_inside_a_package_go_down() -> None:
    """No room imports one above it or beside it."""
    assert upwards(ROOT) == []


def test_nobody_imports_in_a_circle() -> None:
    """Not even by an import inside a function or for the types alone."""
    assert circles(ROOT) == []


def test_every_module_and_room_has_its_place_in_the_tables() -> None:
    """Neither does the document name what is not there."""
    assert {package_of(module) for module in modules(ROOT)} == RULES.keys()
    for package, floors in FLOORS.items():
        rooms = {_room(module, package) for module in modules(ROOT) if _within(module, package)}
        assert [room for floor in floors for room in sorted(floor)] == sorted(
            rooms, key=lambda room: (_floor(room, floors), room)
        )


def test_every_room_is_on_the_tour() -> None:
    """The tour names each folder of services, store and web, and none that is gone."""
    toured = set(re.findall(r"^\| `((?:web|services|store)/\w+)/` \|", DOCUMENT.read_text(), re.MULTILINE))
    assert toured == {
        f"{package}/{folder.name}"
        for package in ("web", "services", "store")
        for folder in (ROOT / package).iterdir()
        if folder.is_dir() and folder.name != "__pycache__"
    }


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("web/public/subscribe.py", "from store.errors import StoreError"),
        ("web/public/subscribe.py", "def late():\n    import requests"),
        ("services/intake/accept.py", "from flask import request"),
        ("services/intake/accept.py", "import requests"),
        ("services/protection/third_party.py", "import flask"),
        ("services/constant_contact/client.py", "import oauth.token_source"),
        ("oauth/token_source.py", "import flask"),
        ("oauth/token_source.py", "from store.connection import oauth_connection"),
        ("store/signups/accept.py", "import services.intake"),
        ("sandbox/state.py", "from settings import Settings"),
        ("serving/worker.py", "import settings"),
        ("settings/__init__.py", "import store"),
        ("transport/deadline.py", "import logs"),
        ("logs.py", "import settings"),
        ("commands/running.py", "from store.signups import accept"),
        ("commands/running.py", "import app"),
        ("wiring/forms.py", "from web import errors"),
        ("app.py", "from oauth.connecting import connector"),
        ("app.py", "from services.delivery import worker"),
        ("commands/forms.py", "from web.public import form_view"),
        ("gunicorn.conf.py", "import web"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, file: str, line: str) -> None:
    """Of each package, also inside a function."""
    (tmp_path / file).parent.mkdir(exist_ok=True, parents=True)
    (tmp_path / file).write_text(line)
    assert len(forbidden(tmp_path)) == 1


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("services/submission/fields.py", "from services.forms import form"),
        ("services/forms/form.py", "from services.delivery import worker"),
        ("services/signups/manage.py", "import services.intake.accept"),
        ("store/engine/database.py", "from store.outbox import claims"),
        ("store/recovery/salvage.py", "from store.upkeep import retention"),
        ("web/public/forms.py", "from web.admin import forms"),
        ("web/security/guards.py", "from web import errors"),
    ],
)
def test_an_import_upwards_or_sideways_is_found(tmp_path: Path, file: str, line: str) -> None:
    """A room knows neither those above it nor those on its own floor."""
    (tmp_path / file).parent.mkdir(exist_ok=True, parents=True)
    (tmp_path / file).write_text(line)
    assert len(upwards(tmp_path)) == 1


def test_a_circle_is_found(tmp_path: Path) -> None:
    """Also one of three."""
    for name, other in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")):
        (tmp_path / f"{name}.py").write_text(f"import {other}")
    assert circles(tmp_path) == ["a", "b", "c", "d"]


def test_what_an_exception_allows_is_allowed(tmp_path: Path) -> None:
    """Requests where others are called, and flask inside oauth/routes.py."""
    for file, line in {
        "services/constant_contact/client.py": "import requests",
        "services/protection/third_party.py": "import requests",
        "oauth/routes.py": "import flask",
    }.items():
        (tmp_path / file).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / file).write_text(line)
    assert forbidden(tmp_path) == []


def test_importing_the_app_starts_nothing() -> None:
    """No thread runs, no file appears and no engine is open after `import app`."""
    code = "import threading, app; print(threading.active_count())"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "1"
