"""Injected faults: what goes wrong, for which calls, how often."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from sandbox.errors import ControlRefused


@dataclass
class Fault:
    """One ordered fault; `times` None means until cleared, `delay` is in seconds."""

    method: str | None = None
    path: str | None = None
    times: int | None = None
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    drop: str | None = None
    garbage: bool = False
    half_body: bool = False

    def matches(self, method: str, path: str) -> bool:
        """Return whether the fault is for this call: a path with `*` is a pattern, any other a prefix."""
        if self.method is not None and self.method != method:
            return False
        if self.path is None:
            return True
        return fnmatchcase(path, self.path) if "*" in self.path else path.startswith(self.path)

    def effect(self) -> dict[str, Any]:
        """Return what the fault does, without what it applies to."""
        members = asdict(self)
        return {name: members[name] for name in _EFFECTS if members[name] not in (None, False, 0, {})}

    def description(self) -> dict[str, Any]:
        """Return the fault in the shape in which it was ordered."""
        match = {"method": self.method, "path": self.path}
        return {
            "match": {name: value for name, value in match.items() if value is not None},
            "times": self.times,
            "fault": self.effect(),
        }


NO_FAULT = Fault()


class Faults:
    """The faults on order, oldest first. The caller holds the world's lock."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Put a fault at the end of the queue."""
        self._ordered.append(fault)

    def next_for(self, method: str, path: str) -> Fault:
        """Use and return the oldest fault for this call; `NO_FAULT` when there is none."""
        for fault in self._ordered:
            if fault.matches(method, path):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times == 0:
                        self._ordered.remove(fault)
                return fault
        return NO_FAULT

    def clear(self) -> None:
        """Cancel all faults."""
        self._ordered.clear()

    def descriptions(self) -> list[dict[str, Any]]:
        """Return the faults still on order."""
        return [fault.description() for fault in self._ordered]


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_EFFECTS: dict[str, Callable[[Any], bool]] = {
    "status": lambda v: isinstance(v, int) and not isinstance(v, bool) and 200 <= v <= 599,
    "body": lambda _: True,
    "headers": lambda v: isinstance(v, dict) and all(isinstance(text, str) for text in v.values()),
    "delay": lambda v: _number(v) and v >= 0,
    "drop": lambda v: v in ("before", "after"),
    "garbage": lambda v: isinstance(v, bool),
    "half_body": lambda v: isinstance(v, bool),
}


def parse_fault(order: Mapping[str, Any]) -> Fault:
    """Read `{"match": {"method", "path"}, "times": n or null, "fault": {…}}`.

    Raises:
        ControlRefused: a member is unknown or has a wrong value; the message names it.
    """
    _only(order, {"match", "times", "fault"}, "the order")
    match, times, effect = order.get("match") or {}, order.get("times"), order.get("fault")
    if not isinstance(match, dict) or not all(isinstance(value, str) for value in match.values()):
        raise ControlRefused("match: an object with the strings method and path")
    _only(match, {"method", "path"}, "match")
    if times is not None and (not isinstance(times, int) or isinstance(times, bool) or times < 1):
        raise ControlRefused("times: a whole number of at least 1, or null for ever")
    if not isinstance(effect, dict) or not effect:
        raise ControlRefused("fault: an object with at least one of " + ", ".join(_EFFECTS))
    _only(effect, set(_EFFECTS), "fault")
    for name, value in effect.items():
        if not _EFFECTS[name](value):
            raise ControlRefused(f"fault.{name}: {value!r} is not a value for it")
    if "status" not in effect and ("body" in effect or "headers" in effect):
        raise ControlRefused("fault.status: needed with a body or headers")
    method = match.get("method")
    return Fault(method=method and method.upper(), path=match.get("path"), times=times, **effect)


def _only(members: Mapping[str, Any], known: set[str], where: str) -> None:
    for name in members:
        if name not in known:
            raise ControlRefused(f"{name}: unknown member of {where}; known: {', '.join(sorted(known))}")
