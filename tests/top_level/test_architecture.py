"""The layers import only what the table in docs/architecture.md allows."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = frozenset(
    {
        "app",
        "cli",
        "commands",
        "logs",
        "oauth",
        "sandbox",
        "services",
        "serving",
        "settings",
        "store",
        "transport",
        "web",
        "wiring",
    }
)
FLASK = frozenset({"flask", "flask_wtf"})
SQL = frozenset({"sqlalchemy", "alembic", "psycopg", "pysqlite3", "sqlite3"})


@dataclass(frozen=True)
class Rule:
    """What one layer may import: of ours, and which outside packages never."""

    ours: frozenset[str]
    never: frozenset[str]
    # file or folder inside the layer: what it may import in spite of `never`
    except_in: dict[str, frozenset[str]] = field(default_factory=dict)


RULES = {
    "settings": Rule(frozenset({"settings"}), FLASK | SQL | {"requests", "werkzeug", "gunicorn"}),
    "web": Rule(frozenset({"services", "web"}), SQL | {"requests"}),
    "services": Rule(
        frozenset({"services", "store"}),
        FLASK | SQL | {"requests"},
        {"constant_contact": frozenset({"requests"}), "third_party.py": frozenset({"requests"})},
    ),
    "oauth": Rule(frozenset({"oauth"}), FLASK | SQL, {"routes.py": frozenset({"flask"})}),
    "serving": Rule(frozenset({"serving"}), FLASK | SQL | {"requests", "werkzeug"}),
    "store": Rule(frozenset({"store"}), FLASK | {"requests", "werkzeug"}),
    "sandbox": Rule(
        frozenset({"sandbox"}), (FLASK - {"flask"}) | SQL | {"requests", "pydantic", "structlog"}
    ),
}


def imported(path: Path) -> set[str]:
    """The top-level packages a file imports, wherever in the file it does so."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            found.add(path.parts[0])
    return found


def violations(root: Path) -> list[str]:
    """Every import under `root` that the rules forbid, as "file imports package"."""
    found = []
    for layer, rule in RULES.items():
        place = root / layer
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            excused: frozenset[str] = frozenset().union(
                *(
                    packages
                    for name, packages in rule.except_in.items()
                    if name in path.relative_to(place).parts
                )
            )
            names = imported(path)
            wrong = (names & OURS) - rule.ours | (names & rule.never) - excused
            found += [f"{path.relative_to(root)} imports {name}" for name in sorted(wrong)]
    return found


def test_every_layer_imports_only_what_it_may() -> None:
    """No file breaks the import table."""
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("file", "line", "expected"),
    [
        ("web/public/subscribe.py", "from store import Signups", "web/public/subscribe.py imports store"),
        (
            "web/public/subscribe.py",
            "def late():\n    import requests",
            "web/public/subscribe.py imports requests",
        ),
        ("services/intake/accept.py", "from flask import request", "services/intake/accept.py imports flask"),
        ("services/intake/accept.py", "import requests", "services/intake/accept.py imports requests"),
        (
            "services/protection/third_party.py",
            "import flask",
            "services/protection/third_party.py imports flask",
        ),
        (
            "services/constant_contact/client.py",
            "import oauth.keeper",
            "services/constant_contact/client.py imports oauth",
        ),
        ("oauth/token_source.py", "import flask", "oauth/token_source.py imports flask"),
        (
            "oauth/token_source.py",
            "from store.connection import Connections",
            "oauth/token_source.py imports store",
        ),
        ("store/signups/accept.py", "import services.intake", "store/signups/accept.py imports services"),
        ("sandbox/state.py", "from settings import Settings", "sandbox/state.py imports settings"),
        ("serving/worker.py", "import settings", "serving/worker.py imports settings"),
        ("settings/__init__.py", "import store", "settings/__init__.py imports store"),
    ],
)
def test_a_planted_violation_is_found(tmp_path: Path, file: str, line: str, expected: str) -> None:
    """Each kind of forbidden import is reported, also inside a function."""
    for layer in RULES:
        (tmp_path / layer).touch() if layer.endswith(".py") else (tmp_path / layer).mkdir()
    (tmp_path / file).parent.mkdir(exist_ok=True, parents=True)
    (tmp_path / file).write_text(line)
    assert violations(tmp_path) == [expected]


def test_what_an_exception_allows_is_allowed(tmp_path: Path) -> None:
    """Requests inside the two packages that call others, and flask inside oauth/routes.py."""
    for layer in RULES:
        (tmp_path / layer).touch() if layer.endswith(".py") else (tmp_path / layer).mkdir()
    for caller in ("constant_contact/client.py", "protection/third_party.py"):
        (tmp_path / "services" / caller).parent.mkdir()
        (tmp_path / "services" / caller).write_text("import requests")
    (tmp_path / "oauth/routes.py").write_text("import flask")
    assert violations(tmp_path) == []


def test_every_top_level_module_has_a_place() -> None:
    """A new top-level module or package of ours must be added to the table."""
    here = {p.stem for p in ROOT.glob("*.py")} | {p.parent.name for p in ROOT.glob("*/__init__.py")}
    assert here - {"gunicorn.conf", "tests", "bench"} == OURS


def test_importing_the_app_starts_nothing() -> None:
    """No thread runs, no file appears and no engine is open after `import app`."""
    code = "import threading, app; print(threading.active_count())"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "1"
