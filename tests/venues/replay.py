"""Recorded frames through pxdecode, compared with what an independent decoder made of them: what the
tests of each venue share."""
import gzip
import json
import os
import pathlib
import subprocess
from decimal import Decimal

import pytest

CAPTURES = pathlib.Path(os.environ["PX_CAPTURES"])
PXDECODE = os.path.join(os.environ["PX_BUILD"], "bin", "pxdecode")


def read(name):
    for path in (CAPTURES / name, CAPTURES / (name + ".gz")):
        if path.exists():
            data = path.read_bytes()
            return gzip.decompress(data) if path.suffix == ".gz" else data
    pytest.skip(f"no {name} beside the checkout")


def plain(text):
    """A decimal without exponent, digits and trailing zeros kept."""
    return None if text is None else format(Decimal(text), "f")


def decode(venue, frames, *options):
    run = subprocess.run([PXDECODE, "--venue", venue, "--json", *options], input=frames,
                         capture_output=True, timeout=60)
    assert run.returncode == 0
    return [json.loads(line) for line in run.stdout.splitlines()], run.stderr.decode()


def as_expected(tick, venue, dialect):
    """A tick of ours in the form of the expected file; None for kinds that it does not have."""
    ours, symbol = tick["symbol"].split(":", 1)
    assert ours == venue
    assert tick["seq"] is None and tick["recv_ts_ns"] is None
    if tick["kind"] == "ticker":
        return None
    ns = tick["exch_ts_ns"]
    trade = tick["kind"] == "trade"
    return {"frame": tick["frame"], "exchange": dialect, "symbol": symbol,
            "kind": "trade" if trade else "bbo",
            "price": tick.get("price"), "size": tick.get("size"), "side": tick.get("side"),
            "bid": tick.get("bid"), "bid_size": tick.get("bid_size"),
            "ask": tick.get("ask"), "ask_size": tick.get("ask_size"),
            "exch_ts_us": None if ns is None else ns // 1000,
            "exch_ts_ms": None if ns is None else ns // 1000000,
            "trade_id": tick.get("trade_id"), "replay": "replay" in tick["flags"]}


def assert_equal(venue, capture, expected):
    frames, lines = read(capture), read(expected).splitlines()
    want = [json.loads(line) for line in lines]
    assert want, "an expected file without ticks proves nothing"
    for w in want:
        w.pop("i")
        w.pop("seq")  # the venue's update id: on the bus it is not part of the tick
        for key in ("price", "size", "bid", "bid_size", "ask", "ask_size"):
            w[key] = plain(w[key])
    ticks, stderr = decode(venue, frames)
    dialect = want[0]["exchange"]
    got = [g for g in (as_expected(t, venue, dialect) for t in ticks) if g is not None]
    for g, w in zip(got, want):
        assert g == w
    assert len(got) == len(want)
    assert stderr == "", "no recorded frame is refused"
    return got


def assert_book_equal(venue, capture, expected):
    """pxdecode --book against the changes of the top that an independent book gave."""
    want = [json.loads(line) for line in read(expected).splitlines()]
    assert want, "an expected file without changes proves nothing"
    ticks, stderr = decode(venue, read(capture), "--book")
    got = []
    for tick in ticks:
        assert tick["kind"] == "quote" and tick["symbol"].startswith(venue + ":")
        ns = tick["exch_ts_ns"]
        got.append({"frame": tick["frame"], "exchange": want[0]["exchange"],
                    "symbol": tick["symbol"].split(":", 1)[1], "kind": "book_top",
                    "bid": tick["bid"], "bid_size": tick["bid_size"],
                    "ask": tick["ask"], "ask_size": tick["ask_size"],
                    "exch_ts_us": None if ns is None else ns // 1000})
    for w in want:
        for key in ("bid", "bid_size", "ask", "ask_size"):
            w[key] = plain(w[key])
    for g, w in zip(got, want):
        assert g == w
    assert len(got) == len(want)
    assert stderr == "", "no recorded frame is refused"
