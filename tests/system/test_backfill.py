"""After an unplanned loss the hole in the trades is named, id by id, and filled by REST: in order, each lost
trade once, flagged, and without holding up what streams."""
import http.server
import json
import re
import signal
import ssl
import threading
import urllib.request
from dataclasses import dataclass

import pytest

from px import BUILD, Certificates, Sim, free_port, wait_for
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


def configure(tmp_path, venue="binance", more="", kinds="trade", general=""):
    path = tmp_path / "feeder.ini"
    path.write_text(f"[bus]\nbackoff_min_ms = 50\nbackoff_max_ms = 50\n{general}"
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
    """Until so many holes, and all that there are, have come to their end; what was seen so far."""
    def ended(lines):
        seen = Seen(lines)
        return seen if n <= len(seen.events("gap")) == len(seen.events("filled")) else None
    return tail.wait_lines(ended, what="the end of the fill")


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


def test_a_hard_loss_is_one_record_of_exactly_the_trades_that_never_came(bus, tmp_path):  # noqa: F811
    with Sim(rate=500, fault="close-mid-frame:100", fault_connections=1) as sim:
        _, tail = start(bus, configure(tmp_path), sim)
        seen = wait_ends(tail)
        gap, = seen.events("gap")
        before, after = [t for t in seen.live if t["seq"] < gap["seq"]], [t for t in seen.live
                                                                       if t["seq"] > gap["seq"]]
        assert hole(gap) == list(range(ids(before)[-1] + 1, ids(after)[0]))
        assert after[0]["flags"] == ["gap"] and gap["count"] == len(hole(gap))
        # what the exchange says itself: those that nobody was told of, and at least the one that was cut in two
        sim.send(signal.SIGUSR1)
        counts = json.loads(wait_for(lambda: re.search(r"^{.*}$", sim.out(), re.M)).group(0))
        assert counts["untold"] < gap["count"]
        # in gap from the record on, live with the second trade that follows
        assert [e["event"] for e in seen.ticks if e["kind"] == "status" and e["seq"] >= gap["seq"]][:2] == [
            "gap", "live"]
        assert bus.counter("gaps") == 1 and bus.counter("ids_missing") == gap["count"]


@pytest.mark.parametrize("scheme, host", (("ws", "localhost"), ("wss", "localhost"), ("wss", "127.0.0.1")))
def test_what_was_lost_with_a_connection_is_filled_in_order_and_once(
        bus, tmp_path, certificates, scheme, host):  # noqa: F811
    encrypted = scheme == "wss"
    options = {"tls_ca": certificates.ca} if encrypted else {}
    more = f"endpoint = {scheme}://{host}:%d\n"
    with Sim(tls=certificates if encrypted else None, rate=500, fault="close-mid-frame:100",
             fault_connections=1) as sim:
        bus.feeder(config=configure(tmp_path, more=more % sim.port), **options)
        tail = bus.tail_process(BTC, kinds="trade")
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
    ("coinbase", "BTC-USD", "trade"), ("kraken", "BTC/USD", "trade")))
def test_each_venue_with_a_history_is_asked_in_its_own_way(bus, tmp_path, venue, symbol, kinds):  # noqa: F811
    name = f"{venue}:{symbol}"
    config = configure(tmp_path, venue, kinds=kinds)
    with Sim(venue=venue, rate=500, fault="close-mid-frame:100", fault_connections=2) as sim:
        _, tail = start(bus, config, sim, name)
        check_whole(wait_ends(tail))


def test_a_hole_in_a_count_beside_the_trade_ids_is_filled_by_that_count(bus, tmp_path):  # noqa: F811
    name = "deribit:BTC-PERPETUAL"  # trade_seq is consecutive, trade_id is not a number
    with Sim(venue="deribit", rate=500, fault="close-mid-frame:100", fault_connections=2) as sim:
        _, tail = start(bus, configure(tmp_path, "deribit"), sim, name)
        seen = wait_ends(tail)
        gap = seen.events("gap")[0]
        said = ask(sim.url.replace("ws", "http", 1) + "/api/v2/public/get_last_trades_by_instrument?"
                   f"instrument_name=BTC-PERPETUAL&start_seq={gap['first_id']}&end_seq={gap['last_id']}"
                   "&count=1000&sorting=asc")["result"]["trades"]
        assert len(seen.filled) == gap["count"] == len(said) > 0
        assert [t["exch_ts_ns"] for t in seen.filled] == [t["timestamp"] * 1000000 for t in said]
        assert not set(ids(seen.filled)) & set(ids(seen.live))


def test_a_hole_in_the_ids_of_a_living_connection_is_filled(bus, tmp_path):  # noqa: F811
    with Sim(rate=500, fault="sequence-gap:2500", fault_connections=1) as sim:
        _, tail = start(bus, configure(tmp_path), sim)
        seen = wait_ends(tail)
        check_whole(seen)
        assert len(seen.filled) == 2500 and bus.counter("backfill_requests") == 3
        assert bus.counter("connects") == 1


class Rest(http.server.BaseHTTPRequestHandler):
    """A history of somebody else's making: what a simulated exchange has, in chunks of odd sizes, with fields
    that nobody asked for, after a request that was really for this host."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802
        self.server.asked.append((self.headers["Host"], self.headers["User-Agent"], self.path))
        trades = [{"new": {"a": [1, 2]}, **t} for t in ask(self.server.source + self.path)]
        body = json.dumps(trades, indent=1).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json;charset=UTF-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(body), 997):
            piece = body[at:at + 997]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


def test_an_independent_server_is_asked_over_tls_and_understood(bus, tmp_path, certificates):  # noqa: F811
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert, certificates.key)
    with Sim(rate=500, fault="sequence-gap:1500") as sim, \
            http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rest) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.source, server.asked = sim.url.replace("ws", "http", 1), []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        at = f"localhost:{server.server_port}"
        _, tail = start(bus, configure(tmp_path, more=f"backfill_url = https://{at}\n"), sim,
                        tls_ca=certificates.ca)
        seen = wait_ends(tail)
        server.shutdown()
        check_whole(seen)
        first = seen.events("gap")[0]["first_id"]
        host, agent, path = server.asked[0]
        assert host == at and agent.startswith("px/")
        assert path == f"/api/v3/historicalTrades?symbol=BTCUSDT&fromId={first}&limit=1000"
        assert len(server.asked) == 2


def test_the_end_of_the_feeder_says_what_is_still_missing(bus, tmp_path):  # noqa: F811
    with Sim(rate=500, fault=["sequence-gap:30", "rest-hang"]) as sim:
        feeder, tail = start(bus, configure(tmp_path), sim)
        wait_for(lambda: bus.counter("backfill_requests") == 1, what="the request")
        assert bus.counter("backfill_open") == 1
        assert feeder.stop() == 0
        end = wait_ends(tail).events("filled")[0]
        assert end["cause"].endswith("still missing") and end["count"] == 30


# How the first request fails, and what is said of it.
FAILURES = {"rest-hang": "no answer in time", "rest-500": "the venue answers with status 500",
            "rest-429": "the venue answers with status 429", "rest-truncated": "broken JSON",
            "rest-giant": "the answer is too large"}


def failures(bus):  # noqa: F811
    return [e for e in bus.stat()[1]["errors"] if e["kind"] == "backfill"]


@pytest.mark.parametrize("fault", FAILURES)
def test_a_request_that_fails_is_said_delays_no_live_tick_and_is_made_again(
        bus, tmp_path, fault):  # noqa: F811
    config = configure(tmp_path, general="connect_ms = 1000\n")
    with Sim(rate=500, fault=["close-mid-frame:100", fault], fault_connections=1,
             fault_requests=1) as sim:
        feeder, tail = start(bus, config, sim)
        feeder.wait_err(f"warning binance: back-fill from localhost:{sim.port}: {FAILURES[fault]}")
        seen = wait_ends(tail)
        check_whole(seen)
        assert [e["count"] for e in failures(bus)] == [1]
        assert FAILURES[fault] in failures(bus)[0]["text"]
        assert bus.counter("backfill_failures") == 1 and bus.counter("backfill_requests") == 2
        # what streamed between the loss and the fill came as it does otherwise, without a hole of its own
        between = [t for t in seen.live
                   if seen.events("gap")[0]["seq"] < t["seq"] < seen.filled[0]["seq"]]
        assert ids(between) == list(range(ids(between)[0], ids(between)[0] + len(between)))
        assert len(between) > 10


def test_a_hole_that_cannot_be_filled_is_given_up_and_said_to_be_open(bus, tmp_path):  # noqa: F811
    with Sim(rate=500, fault=["close-mid-frame:100", "rest-500"], fault_connections=1) as sim:
        _, tail = start(bus, configure(tmp_path), sim)
        seen = wait_ends(tail)
        gap, end = seen.events("gap")[0], seen.events("filled")[0]
        assert end["cause"] == f"trade ids {gap['first_id']} to {gap['last_id']} still missing"
        assert end["count"] == gap["count"]
        assert not seen.filled and bus.counter("backfill_requests") == 5
        assert bus.counter("backfill_unfilled") == 1 and bus.counter("backfill_whole") == 0


def test_a_server_whose_certificate_is_for_another_host_is_told_nothing(
        bus, tmp_path, certificates):  # noqa: F811
    other = Certificates(tmp_path, names=("DNS:other.test",))
    with open(certificates.ca, "a", encoding="ascii") as both, open(other.ca, encoding="ascii") as more:
        both.write(more.read())
    with Sim(tls=certificates, rate=500, fault="close-mid-frame:100", fault_connections=1) as sim, \
            Sim(tls=other) as wrong:
        url = named(wrong).replace("wss", "https")
        _, tail = start(bus, configure(tmp_path, more=f"backfill_url = {url}\n"), sim,
                        tls_ca=certificates.ca)
        seen = wait_ends(tail)
        assert not seen.filled and seen.events("filled")[0]["count"] == seen.events("gap")[0]["count"]
        assert failures(bus)[0]["text"].endswith(
            "certificate refused: host name mismatch: it names other.test and not localhost")
        wrong.send(signal.SIGUSR1)
        assert wait_for(lambda: '"requests":' in wrong.out() and wrong.out()).count('"requests":0') == 1


def test_a_second_loss_while_a_hole_is_being_filled_is_a_hole_of_its_own(bus, tmp_path):  # noqa: F811
    config = configure(tmp_path, general="connect_ms = 4000\n")
    with Sim(rate=500, fault=["close-mid-frame:200", "rest-hang"], fault_connections=2,
             fault_requests=1) as sim:
        _, tail = start(bus, config, sim)
        seen = wait_ends(tail, 2)
        assert len(seen.events("gap")) == 2
        assert seen.events("gap")[1]["seq"] < seen.filled[0]["seq"]
        check_whole(seen)


def test_without_the_setting_nothing_is_asked(bus, tmp_path):  # noqa: F811
    config = tmp_path / "feeder.ini"
    config.write_text("[bus]\nbackoff_min_ms = 50\nbackoff_max_ms = 50\n[binance]\nkinds = trade\n")
    with Sim(rate=500, fault="close-mid-frame:100", fault_connections=1) as sim:
        _, tail = start(bus, config, sim)
        tail.wait_lines(lambda lines: Seen(lines).events("gap") and
                        lines[-1]["seq"] > Seen(lines).events("gap")[0]["seq"] + 200)
        assert not Seen(tail.lines()).events("filled")
        assert bus.counter("backfill_requests") == bus.counter("backfill_open") == 0


def test_a_name_that_takes_half_a_minute_delays_nothing(bus, tmp_path):  # noqa: F811
    slow = {"LD_PRELOAD": str(BUILD / "tests" / "libslow_names.so")}
    config = configure(tmp_path, general="connect_ms = 500\n",
                       more=f"backfill_url = http://slow-name.test:{free_port()}\n")
    with Sim(rate=500, fault="sequence-gap:30") as sim:
        feeder, tail = start(bus, config, sim, env=slow)
        feeder.wait_err("back-fill from slow-name.test:[0-9]+: no answer in time")
        assert max(bus.stat()[1]["feeder"]["heartbeat_age_ms"] for _ in range(20)) < 1000
        seen = Seen(tail.lines())
        assert ids(seen.live)[-1] > int(seen.events("gap")[0]["last_id"]) + 100


def memory(bus):  # noqa: F811
    m = bus.stat()[1]["memory"]
    return m["by_owner"], m["objects"]


def test_memory_is_after_many_fills_what_it_was_after_a_few(bus, tmp_path, certificates):  # noqa: F811
    with Sim(tls=certificates, rate=1000, fault="close-mid-frame:300") as sim:
        _, tail = start(bus, configure(tmp_path), sim, tls_ca=certificates.ca)

        def after(n):
            wait_for(lambda: bus.counter("backfill_whole") >= n, 60, f"{n} fills")
            rests = wait_for(lambda: bus.counter("backfill_open") == 0 and memory(bus), 60)
            return rests
        owners, objects = after(8)
        later, objects_later = after(40)
        assert bus.counter("backfill_trades") > 40
        for owner in owners:
            assert later[owner] <= owners[owner] + 65536, (owner, owners, later)
        assert objects_later["timers"] <= objects["timers"] + 2
        assert objects_later["descriptors"] <= objects["descriptors"] + 2
