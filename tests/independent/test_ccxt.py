"""pxsim as ccxt meets it, which has a client of its own for each exchange. npm brings ccxt into the
build folder; without npm, Node or a registry there is nothing to run, and the tests are skipped."""
import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

from npm_parts import node_modules  # noqa: E402
from pxsim_client import pxsim  # noqa: E402

SOURCE = Path(os.environ.get("PX_SOURCE", HERE.parents[1]))
WORK = Path(os.environ.get("PX_BUILD", SOURCE / "build")) / "tests" / "independent"
MODULES = WORK / "node_modules"
UNKNOWN = {"binance_tr"}  # to ccxt


def venues():
    lines = (SOURCE / "tools" / "pxsim" / "venues.def").read_text(encoding="utf-8")
    return [v for v in re.findall(r"^PXSIM_VENUE\((\w+)\)", lines, re.M) if v not in UNKNOWN]


@pytest.fixture(scope="module", autouse=True)
def ccxt():
    node_modules(HERE, WORK)


@contextlib.contextmanager
def watched(sim, venue, *kinds):
    """What the client has to say of each thing that it watched; its connections stay meanwhile."""
    client = subprocess.Popen(
        ["node", HERE / "clients" / "watch.mjs", venue, sim.url(""), MODULES, *kinds],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        line = client.stdout.readline()
        assert line, "the client ended without a word"
        yield json.loads(line)
    finally:
        client.kill()
        client.communicate()


@pytest.mark.parametrize("venue", venues())
def test_ccxt_reads_every_venue_and_lets_go_of_it(venue):
    with pxsim("--rate", 200, venue=venue) as sim, watched(sim, venue) as report:
        assert report and not [r for r in report if "error" in r], report
        assert all(r["updates"] > 0 and r["unwatched"] in (True, None) for r in report)
        counts = sim.counts()
        given_up = sum(r["unwatched"] is True for r in report)
        assert counts["subscribes"] == len(report) and counts["unsubscribes"] == given_up
        assert sum(on - off for on, off in counts["streams"].values()) == len(report) - given_up
        assert counts["violations"] == counts["dropped"] == 0


@pytest.mark.parametrize("venue, error", [("kraken", "ChecksumError"), ("okx", "InvalidNonce")])
def test_ccxt_sees_that_messages_of_a_book_are_missing(venue, error):
    with pxsim("--rate", 200, "--fault", "sequence-gap", venue=venue) as sim:
        with watched(sim, venue, "book") as (book,):
            assert book.get("error", "").startswith(error), book
            assert book["updates"] > 0, "the messages before them were good"
