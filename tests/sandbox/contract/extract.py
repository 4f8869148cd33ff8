"""Make `contract.json` from the vendor's swagger document: AppConnect V3, build 3.0.178, from api.cc.email.

    python -m tests.sandbox.contract.extract swagger.yaml

Of every operation it keeps the statuses; of the operations that the sandbox imitates also the schemas of the
answers, without words and examples. What the vendor's own document leaves out is left out here too.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from sandbox.not_imitated import NOT_IMITATED

EXTRACT = Path(__file__).with_name("contract.json")
_WORDS = ("description", "example", "readOnly", "default")


def extract(swagger: dict[str, Any]) -> dict[str, Any]:
    """Return the version, the operations as {"METHOD /path": {status: schema or null}}, and definitions."""
    operations = {
        f"{method.upper()} {path}": {
            status: _schema(method, path, answer) for status, answer in operation["responses"].items()
        }
        for path, methods in sorted(swagger["paths"].items())
        for method, operation in methods.items()
        if method != "parameters"
    }
    return {
        "version": swagger["info"]["version"],
        "operations": operations,
        "definitions": dict(sorted(_used(operations, swagger["definitions"]).items())),
    }


def _schema(method: str, path: str, answer: dict[str, Any]) -> Any:
    return None if (method.upper(), path) in NOT_IMITATED else _bare(answer.get("schema"))


def _used(operations: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    used: dict[str, Any] = {}
    missing = set(_references(operations))
    while missing:
        used |= {name: _bare(definitions[name]) for name in missing}
        missing = set(_references(used)) - set(used)
    return used


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rpartition("/")[2]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from _references(each)


def _bare(schema: Any) -> Any:
    """Return a schema without descriptions; below `properties` the names are members and stay."""
    if isinstance(schema, list):
        return [_bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    bare = {name: _bare(rule) for name, rule in schema.items() if name not in (*_WORDS, "properties")}
    if "properties" in schema:
        bare["properties"] = {member: _bare(rule) for member, rule in schema["properties"].items()}
    return {name: rule for name, rule in bare.items() if not name.startswith("x-")}


if __name__ == "__main__":
    document = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    EXTRACT.write_text(json.dumps(extract(document), indent=1) + "\n", encoding="utf-8")
