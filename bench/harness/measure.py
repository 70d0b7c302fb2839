"""Runs groups: variants in turn, round after round, so that what the machine does meanwhile hits
all of them alike."""

import contextlib
import sys

from .daemons import DAEMONS
from .model import Series
from .runner import Failed, Missing


def _start_daemons(ctx, group, series, stack):
    for name in sorted({v.daemon for v in group.variants if v.daemon}):
        try:
            stack.enter_context(DAEMONS[name](ctx))
        except (Missing, Failed) as why:
            for v in group.variants:
                if v.daemon == name:
                    series[v.name].missing = str(why)


def _run_once(ctx, variant, series):
    try:
        series.add(variant.run(ctx))
    except Missing as why:
        series.missing = str(why)
    except Failed as why:
        series.failed = str(why)


def _progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def run_group(ctx, group):
    """Series by the name of the variant."""
    series = {v.name: Series() for v in group.variants}
    with contextlib.ExitStack() as stack:
        _start_daemons(ctx, group, series, stack)
        for number in range(ctx.rounds):
            turn = group.variants if number % 2 == 0 else group.variants[::-1]
            for v in turn:
                _progress(f"{group.name} {number + 1}/{ctx.rounds} {v.name}")
                if not series[v.name].missing and not series[v.name].failed:
                    _run_once(ctx, v, series[v.name])
    _progress("")
    return series
