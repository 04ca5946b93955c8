"""The table at the end: one row per figure, ours beside the reference's, with the goal if there is one."""

from collections.abc import Iterable
from dataclasses import dataclass

HEADINGS = ("", "ours", "reference", "", "ratio", "goal", "")


@dataclass(frozen=True)
class Goal:
    """What a figure, or its ratio to the reference's, must be."""

    text: str
    met: bool


@dataclass(frozen=True)
class Row:
    """One figure of both servers.

    Args:
        name: what was measured, with its unit.
        ours: the figure of the service.
        reference: the figure of the reference, if there is one.
        reference_name: who that is.
        goal: made by one of the functions below.
    """

    name: str
    ours: float
    reference: float | None = None
    reference_name: str = ""
    goal: Goal | None = None

    @property
    def missed(self) -> bool:
        """Whether there is a goal that was not reached."""
        return self.goal is not None and not self.goal.met

    def cells(self) -> tuple[str, ...]:
        """The row as texts."""
        reference = "" if self.reference is None else _number(self.reference)
        ratio = f"{self.ours / self.reference:.2f}" if self.reference else ""
        goal, verdict = ("", "") if self.goal is None else (self.goal.text, "ok" if self.goal.met else "MISSED")
        return (self.name, _number(self.ours), reference, self.reference_name, ratio, goal, verdict)


def at_most(ours: float, limit: float) -> Goal:
    """A goal for our own figure, of which less is better."""
    return Goal(f"≤ {_number(limit)}", ours <= limit)


def at_least(ours: float, limit: float) -> Goal:
    """A goal for our own figure, of which more is better."""
    return Goal(f"≥ {_number(limit)}", ours >= limit)


def ratio_at_most(ours: float, reference: float, limit: float) -> Goal:
    """A goal for the ratio to the reference's figure, of which less is better."""
    return Goal(f"ratio ≤ {limit:g}", ours <= limit * reference)


def ratio_below(ours: float, reference: float, limit: float) -> Goal:
    """As :func:`ratio_at_most`, without the limit itself."""
    return Goal(f"ratio < {limit:g}", ours < limit * reference)


def print_table(rows: Iterable[Row]) -> None:
    """Print all rows below each other, in Markdown."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    right = (False, True, True, False, True, True, False)
    for index, line in enumerate(lines):
        columns = zip(line, widths, right, strict=True)
        print(f"| {' | '.join(text.rjust(width) if end else text.ljust(width) for text, width, end in columns)} |")
        if index == 0:
            columns = zip(widths, right, strict=True)
            print(f"|{'|'.join('-' * (width + 1) + (':' if end else '-') for width, end in columns)}|")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
