"""No test depends on luck: on what random letters spell, on generated examples, or on a port that is free."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.ports import free_port

ROOT = Path(__file__).parents[1]

# Ids and digests are of hex digits, sealed values and signed tokens of the 64 characters of base64. A longer
# word than these stands among 100,000 random ones with a chance of 2 in 1,000,000 at most. The word `c0de`
# stood by chance in the log of one run in about thirty. A sign of neither alphabet, such as `@`, cannot come
# by chance.
CHANCE = re.compile(r"[0-9a-fA-F-]{1,9}|[A-Za-z0-9_-]{1,5}")


def words_said_to_be_absent(source: str) -> Iterator[tuple[int, str]]:
    """The constants of every `"…" not in …`, also of those that a loop goes through, with their lines."""
    tree = ast.parse(source)
    named = {
        node.targets[0].id: _texts(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    yield from _absent_in(tree, named)
    for loop in ast.walk(tree):
        if isinstance(loop, ast.For) and isinstance(loop.target, ast.Name):
            elements = loop.iter.elts if isinstance(loop.iter, ast.Tuple | ast.List) else []
            words = [text for element in elements for text in _texts(element)]
            for line, word in _absent_in(loop, {loop.target.id: words}):
                if word in words:
                    yield line, word


def _absent_in(tree: ast.AST, named: dict[str, list[str]]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.NotIn):
            name = node.left.id if isinstance(node.left, ast.Name) else ""
            for text in _texts(node.left) or named.get(name, []):
                yield node.lineno, text


def _texts(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        return [node.value if isinstance(node.value, str) else node.value.decode("latin-1")]
    return []


def test_no_word_that_must_be_absent_can_come_by_chance() -> None:
    """Logs, pages and rows are full of random letters: the word to look for is long, or has a rare sign."""
    found = [
        f"{path.relative_to(ROOT)}:{line} {word!r}"
        for path in sorted(ROOT.rglob("*.py"))
        for line, word in words_said_to_be_absent(path.read_text())
        if CHANCE.fullmatch(word)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('assert "c0de" not in log', ["c0de"]),
        ('for word in ("ada", "a@b"):\n    assert word not in page', ["ada", "a@b"]),
        ('CODE = b"cafe"\nassert CODE not in log', ["cafe"]),
        ('assert secret not in log or "c0de" in log', []),
    ],
)
def test_the_search_for_such_words_finds_them(source: str, words: list[str]) -> None:
    """Planted ones: as a literal, in a loop, under a name."""
    assert [word for _, word in words_said_to_be_absent(source)] == words


def test_generated_examples_are_the_same_in_each_run() -> None:
    """A new one that fails is found by who looks for it: `make test ARGS=--hypothesis-profile=search`."""
    assert settings.get_profile("any machine").derandomize


def test_ports_are_claimed_and_not_guessed() -> None:
    """A port that was free a moment ago may be another test's by now; who binds one itself must keep it."""
    keeping = {"test_third_party.py"}
    probing = re.compile(r"bind\(\(.*, 0\)\)$", re.MULTILINE)
    assert {path.name for path in ROOT.rglob("*.py") if probing.search(path.read_text())} == keeping
    claimed = {free_port() for _ in range(5)}
    assert len(claimed) == 5
    source = "from tests.support.ports import free_port; print(*[free_port() for _ in range(5)])"
    told = subprocess.run([sys.executable, "-c", source], cwd=ROOT.parent, capture_output=True, check=True)
    assert not claimed & {int(port) for port in told.stdout.split()}
