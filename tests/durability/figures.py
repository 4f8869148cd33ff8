"""Measured figures, and the table of them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A measured value and its goal; `reached` is None where there is no goal."""

    scenario: str
    name: str
    value: str
    goal: str = ""
    reached: bool | None = None


def zero(scenario: str, name: str, count: int) -> Figure:
    """Return the figure of a count that must be 0."""
    return Figure(scenario, name, str(count), "0", count == 0)


def at_most(scenario: str, name: str, value: float, goal: float, unit: str = "") -> Figure:
    """Return the figure of a value with an upper bound."""
    return Figure(scenario, name, f"{value:g}{unit}", f"≤ {goal:g}{unit}", value <= goal)


def at_least(scenario: str, name: str, value: float, goal: float, unit: str = "") -> Figure:
    """Return the figure of a value with a lower bound."""
    return Figure(scenario, name, f"{value:g}{unit}", f"≥ {goal:g}{unit}", value >= goal)


def table(figures: Iterable[Figure]) -> str:
    """Return the figures as a Markdown table."""
    words = {True: "yes", False: "**NO**", None: ""}
    lines = ["| scenario | figure | measured | goal | held |", "|---|---|---|---|---|"]
    lines += [f"| {f.scenario} | {f.name} | {f.value} | {f.goal} | {words[f.reached]} |" for f in figures]
    return "\n".join(lines)
