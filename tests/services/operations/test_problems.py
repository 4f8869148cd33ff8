"""Problems as values, and their codes in the documentation."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.access.proxies import SENTENCES
from services.connection.states import WORDS
from services.problems import Level, Problem, well

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs/problems.md"
# Where a code is not written out, what it can be.
MADE = {
    "services/access/proxies.py": set(SENTENCES),
    "services/connection/status.py": {f"connection_{state}" for state in set(WORDS) - {"connected"}},
    "wiring/operations.py": set(),  # the settings' own
}


def sources() -> Iterator[Path]:
    for folder in ("services", "settings", "wiring"):
        yield from (ROOT / folder).rglob("*.py")


def codes_in(path: Path) -> set[str]:
    """The codes of problems that a module makes."""
    tree, found = ast.parse(path.read_text()), set[str]()
    constants = {
        target.id: str(node.value.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if not isinstance(node, ast.Call) or name not in {"Problem", "SettingsWarning"}:
            continue
        code = node.args[0]
        if isinstance(code, ast.Constant):
            found.add(str(code.value))
        elif isinstance(code, ast.Name) and code.id in constants:
            found.add(constants[code.id])
        else:
            found |= MADE[str(path.relative_to(ROOT))]
    return found


def test_every_code_is_documented_and_every_documented_code_exists() -> None:
    """docs/problems.md has exactly one row for each."""
    rows = re.findall(r"^\| `([a-z_]+)` \|", DOCUMENT.read_text(), re.MULTILINE)
    assert len(set(rows)) == len(rows)
    assert set(rows) == set().union(*map(codes_in, sources()))


def test_a_code_can_be_an_address() -> None:
    """Lower-case words joined by underscores, so that a page about it can have it as its name."""
    for code in set().union(*map(codes_in, sources())):
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)


def test_a_line_has_level_sentence_and_cure() -> None:
    """As in "problem: sentence — cure"; without a cure no dash."""
    off = Problem("off", Level.PROBLEM, "It is off.", "Turn it on.")
    assert str(off) == "problem: It is off. — Turn it on."
    assert str(well("It is on.")) == "ok: It is on."


def levels() -> dict[str, str]:
    rows = re.findall(r"^\| `([a-z_]+)` \| ([^|]*) \|", DOCUMENT.read_text(), re.MULTILINE)
    return dict(rows)


@pytest.mark.parametrize("path", [path for path in sources() if codes_in(path)], ids=lambda path: path.stem)
def test_the_documented_level_is_the_one_in_the_code(path: Path) -> None:
    """Where the code names it; a level that is worked out is described in words."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem"):
            continue
        code, level = node.args[:2]
        if isinstance(code, ast.Constant) and isinstance(level, ast.Attribute):
            assert levels()[str(code.value)] == Level[level.attr].value, code.value
