"""The table at the end: one row per figure, ours beside the reference."""

from collections.abc import Iterable
from dataclasses import dataclass

HEADINGS = ("", "ours", "reference", "ratio", "goal", "")


@dataclass(frozen=True)
class Row:
    """One figure of both servers.

    Args:
        name: what was measured, with its unit.
        ours: the figure of the service.
        reference: the figure of the reference.
        fewer_is_better: the ratio then says how many times less ours is.
        least_ratio: the goal, if it is about the ratio.
        most: the goal, if it is about our own figure.
    """

    name: str
    ours: float
    reference: float
    fewer_is_better: bool = False
    least_ratio: float | None = None
    most: float | None = None

    @property
    def ratio(self) -> float:
        """How many times better ours is."""
        better, worse = (self.reference, self.ours) if self.fewer_is_better else (self.ours, self.reference)
        return better / worse if worse else float("inf")

    @property
    def missed(self) -> bool:
        """Whether there is a goal that was not reached."""
        below = self.least_ratio is not None and self.ratio < self.least_ratio
        above = self.most is not None and self.ours > self.most
        return below or above

    def cells(self) -> tuple[str, ...]:
        """The row as texts."""
        goal = ""
        if self.least_ratio is not None:
            goal = f"ratio ≥ {self.least_ratio:g}"
        elif self.most is not None:
            goal = f"≤ {self.most:g}"
        verdict = "" if not goal else "MISSED" if self.missed else "ok"
        return (self.name, _number(self.ours), _number(self.reference), f"{self.ratio:.1f}", goal, verdict)


def print_table(rows: Iterable[Row]) -> None:
    """Print all rows below each other, in Markdown."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]
    for index, (name, *figures) in enumerate(lines):
        cells = [name.ljust(widths[0]), *(text.rjust(width) for text, width in zip(figures, widths[1:], strict=True))]
        print(f"| {' | '.join(cells)} |")
        if index == 0:
            print(f"|{'|'.join(rule)}|")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
