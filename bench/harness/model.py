"""What a row of the table is made of."""

import statistics
from dataclasses import dataclass, field
from typing import Callable


@dataclass(frozen=True)
class Figure:
    """One number of a group; `key` is what the programs print. The goal, if there is one, is an
    absolute limit, a ratio to the control, or both: at most, or where more is better, at least."""

    key: str
    title: str
    unit: str
    limit: float = 0
    ratio: float = 0
    better: str = "lower"

    def goal(self):
        """The goal in words, or ""."""
        sign = "<=" if self.better == "lower" else ">="
        parts = [f"{sign} {self.limit:g} {self.unit}"] if self.limit else []
        parts += [f"{sign} {self.ratio:g} of the control"] if self.ratio else []
        return " and ".join(parts)

    def misses(self, value, of_control):
        """By how much a value misses each part of the goal, in words; [] if it is met."""
        sign = 1 if self.better == "lower" else -1
        out = []
        for limit, got, what in ((self.limit, value, self.unit),
                                 (self.ratio, of_control, "of the control")):
            if limit and got is not None and sign * got > sign * limit:
                out.append(f"{abs(got - limit) / limit:.0%} {'over' if sign > 0 else 'under'} "
                           f"{limit:g} {what}")
        return out


@dataclass(frozen=True)
class Variant:
    """One competitor. run(ctx) returns figures by key; role is "ours", "control" or "peer"."""

    name: str
    run: Callable
    role: str = "peer"
    daemon: str = ""
    note: str = ""


@dataclass(frozen=True)
class Group:
    """Figures that the same runs give, of variants that are run in turn."""

    name: str
    figures: tuple
    variants: tuple


@dataclass
class Series:
    """The values of one variant over the rounds, by key; or why there are none."""

    values: dict = field(default_factory=dict)
    missing: str = ""
    failed: str = ""

    def add(self, figures):
        for key, value in figures.items():
            self.values.setdefault(key, []).append(value)

    def summary(self, key):
        """(median, least, most) or None."""
        values = self.values.get(key)
        if not values:
            return None
        return statistics.median(values), min(values), max(values)
