"""One measured figure, and the table of all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """What was measured, beside what was wanted; `held` None where nothing was wanted."""

    scenario: str
    name: str
    value: str
    goal: str = ""
    held: bool | None = None


def zero(scenario: str, name: str, count: int) -> Figure:
    """A count that must be 0."""
    return Figure(scenario, name, str(count), "0", count == 0)


def at_most(scenario: str, name: str, value: float, goal: float, unit: str = "") -> Figure:
    """A value with an upper bound."""
    return Figure(scenario, name, f"{value:g}{unit}", f"≤ {goal:g}{unit}", value <= goal)


def at_least(scenario: str, name: str, value: float, goal: float, unit: str = "") -> Figure:
    """A value with a lower bound."""
    return Figure(scenario, name, f"{value:g}{unit}", f"≥ {goal:g}{unit}", value >= goal)


def table(figures: Iterable[Figure]) -> str:
    """A Markdown table."""
    verdicts = {True: "yes", False: "**NO**", None: ""}
    lines = ["| scenario | figure | measured | goal | held |", "|---|---|---|---|---|"]
    lines += [f"| {f.scenario} | {f.name} | {f.value} | {f.goal} | {verdicts[f.held]} |" for f in figures]
    return "\n".join(lines)
