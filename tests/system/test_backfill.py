"""After an unplanned loss the hole in the trades is named, id by id, and filled by REST: in order, each lost
trade once, flagged, and without holding up what streams."""
import json
import signal
import ssl
import time
import urllib.request
from dataclasses import dataclass

import pytest

from px import Blackhole, Certificates, Sim, run, wait_for
from px import bus, certificates  # noqa: F401  (fixtures)

BTC = "binance:BTCUSDT"


def ask(url, ca=None):
    """What an exchange answers to somebody who is not the feeder."""
    context = ssl.create_default_context(cafile=ca) if ca else None
    with urllib.request.urlopen(url, timeout=20, context=context) as answer:
        return json.loads(answer.read())


def named(sim):
    """The URL of a simulated exchange by a name, as a certificate is verified by one."""
    return sim.url.replace("127.0.0.1", "localhost")


def configure(tmp_path, venue="binance", more="", kinds="trade"):
    path = tmp_path / "feeder.ini"
    path.write_text("[bus]\nbackoff_min_ms = 50\nbackoff_max_ms = 50\n"
                    f"[{venue}]\nkinds = {kinds}\nbackfill = yes\n{more}")
    return path


@dataclass
class Seen:
    """What a reader saw of one symbol, in the order of the bus."""
    ticks: list

    @property
    def live(self):
        return [t for t in self.ticks if t["kind"] == "trade" and "backfill" not in t["flags"]]

    @property
    def filled(self):
        return [t for t in self.ticks if t["kind"] == "trade" and "backfill" in t["flags"]]

    def events(self, name):
        return [t for t in self.ticks if t["kind"] == "status" and t["event"] == name]


def ids(ticks):
    return [int(t["trade_id"]) for t in ticks]


def hole(gap):
    return list(range(int(gap["first_id"]), int(gap["last_id"]) + 1))


def wait_ends(tail, n=1):
    """Until so many holes have come to their end; what was seen so far."""
    tail.wait_lines(lambda lines: len(Seen(lines).events("filled")) >= n, what="the end of the fill")
    return Seen(tail.lines())


def check_whole(seen):
    """Every id from the first to the last came once, lost ones in order, and each gap is said to be what it is."""
    gaps, ends = seen.events("gap"), seen.events("filled")
    lost = [i for g in gaps for i in hole(g)]
    live, filled = ids(seen.live), ids(seen.filled)
    assert lost and filled == lost
    assert not set(live) & set(filled)
    everything = sorted(live + filled)
    assert everything == list(range(everything[0], everything[-1] + 1))
    assert live == sorted(live)
    for gap, end in zip(gaps, ends):
        assert end["cause"] == f"trade ids {gap['first_id']} to {gap['last_id']} filled"
        assert end["count"] == gap["count"] == len(hole(gap))


def start(bus, config, sim, symbol=BTC, **options):  # noqa: F811
    """A feeder that nobody asks for anything but this reader, which so sees all that comes."""
    feeder = bus.feeder(endpoint=named(sim), config=config, venue=symbol.partition(":")[0], **options)
    return feeder, bus.tail_process(symbol, kinds="trade")


@pytest.mark.parametrize("encrypted", (False, True))
def test_what_was_lost_with_a_connection_is_filled_in_order_and_once(
        bus, tmp_path, certificates, encrypted):  # noqa: F811
    tls = certificates if encrypted else None
    options = {"tls_ca": certificates.ca} if encrypted else {}
    with Sim(tls=tls, rate=500, fault="close-mid-frame:100", fault_connections=1) as sim:
        _, tail = start(bus, configure(tmp_path), sim, **options)
        seen = wait_ends(tail)
        check_whole(seen)
        first, last = ids(seen.filled)[0], ids(seen.filled)[-1]
        url = named(sim).replace("ws", "http", 1)
        said = ask(f"{url}/api/v3/historicalTrades?symbol=BTCUSDT&fromId={first}&limit={last - first + 1}",
                   certificates.ca if encrypted else None)
        assert [(int(t["trade_id"]), t["price"], t["size"], t["side"]) for t in seen.filled] == [
            (t["id"], t["price"], t["qty"], "sell" if t["isBuyerMaker"] else "buy") for t in said]
        assert bus.counter("backfill_trades") == len(seen.filled)
        assert bus.counter("backfill_whole") == 1
        assert bus.counter("backfill_open") == bus.counter("backfill_unfilled") == 0


@pytest.mark.parametrize("venue, symbol, kinds", (
    ("binance", "BTCUSDT", "aggtrade"), ("binance_us", "BTCUSDT", "trade"),
    ("binance_usdm", "BTCUSDT", "trade"), ("binance_coinm", "BTCUSD_PERP", "trade"),
    ("coinbase", "BTC-USD", "trade"), ("kraken", "BTC/USD", "trade"),
    ("deribit", "BTC-PERPETUAL", "trade")))
def test_each_venue_with_a_history_is_asked_in_its_own_way(bus, tmp_path, venue, symbol, kinds):  # noqa: F811
    name = f"{venue}:{symbol}"
    config = configure(tmp_path, venue, kinds=kinds)
    with Sim(venue=venue, rate=500, fault="close-mid-frame:100", fault_connections=2) as sim:
        _, tail = start(bus, config, sim, name)
        check_whole(wait_ends(tail))
