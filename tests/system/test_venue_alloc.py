"""Every venue of venues.def through the whole feeder, over TLS: in steady state no message and no ping
costs a call to libc's allocator, libwebsockets and OpenSSL included. What OpenSSL asks of its own, a
pool, is counted by the feeder. PX_ALLOC_REPORT names a file to which each test adds a row of the table
in docs/memory.md."""
import os

from px import Sim, bus, certificates, wait_for  # noqa: F401
from test_feeder_alloc import Counter
from test_venues import DEPTH, VENUES, listed

WARM_UP = 4000
MESSAGES = 20_000
RATE = 20_000
PING_MS = 5
PINGS = 200
# malloc and free: of a record that is read, and of the three blocks of one that is written
CALLS_PING = 2 + 6


def start(bus, tmp_path, venue, tls, rate, quotes="quote"):  # noqa: F811
    """All kinds of a venue for both of its symbols, and pings that no venue would send so often."""
    config = tmp_path / "feeder.ini"
    kinds = VENUES[venue][2].replace("quote", quotes)
    config.write_text(f"[bus]\nno_data_ms = 20000\n[{venue}]\nkinds = {kinds}\n"
                      f"symbols = {' '.join(VENUES[venue][:2])}\n")
    simulated = Sim(venue=venue, tls=tls, rate=rate, ping_interval=PING_MS, limits="off")
    bus.processes.append(simulated)
    counter = Counter(tmp_path)
    feeder = bus.feeder(config=config, endpoint=simulated.url, venue=venue, tls_ca=tls.ca,
                        env=counter.env, test_watch_scale=100)
    return feeder, counter


def figures(bus, feeder, counter):  # noqa: F811
    names = ("frames_in", "pongs_sent", "tls_calls", "websocket_calls", "json_calls", "reconnects")
    counters = bus.stat()[1]["counters"]
    calls, places = counter.read(feeder)
    return {**{n: counters[n] for n in names}, "libc": calls}, places


def measure(bus, feeder, counter, name, warm_up, amount):  # noqa: F811
    """What each figure was more, while the counter `name` grew by `amount` after the warm-up."""
    wait_for(lambda: (bus.counter(name) or 0) >= warm_up, 60, "the warm-up")
    before, _ = figures(bus, feeder, counter)
    assert before["libc"] > 0  # it counts
    wait_for(lambda: bus.counter(name) >= before[name] + amount, 60, name)
    after, places = figures(bus, feeder, counter)
    more = {n: after[n] - before[n] for n in after}
    assert more["libc"] == 0, places
    assert (more["websocket_calls"], more["json_calls"], more["reconnects"]) == (0, 0, 0), more
    # how many is for the table: on a busy machine the two figures are not of one moment
    assert more["tls_calls"] > 0, more
    return more


def check_busy(bus, tmp_path, certificates, venue, quotes):  # noqa: F811
    feeder = start(bus, tmp_path, venue, certificates, RATE, quotes)
    busy = measure(bus, *feeder, "frames_in", WARM_UP, MESSAGES)
    assert busy["pongs_sent"] > 0
    bus.close()
    return busy


def check(bus, tmp_path, certificates, venue):  # noqa: F811
    busy = check_busy(bus, tmp_path, certificates, venue, "quote")
    if venue in DEPTH:
        check_busy(bus, tmp_path, certificates, venue, "depth")
    quiet = measure(bus, *start(bus, tmp_path, venue, certificates, 1), "pongs_sent", 20, PINGS)
    if os.environ.get("PX_ALLOC_REPORT"):
        of_messages = busy["tls_calls"] - CALLS_PING * busy["pongs_sent"]
        row = (f"| {venue} | {busy['frames_in']} | {busy['libc']} | {quiet['libc']} | "
               f"{of_messages / busy['frames_in']:.2f} | "
               f"{quiet['tls_calls'] / quiet['pongs_sent']:.1f} |\n")
        with open(os.environ["PX_ALLOC_REPORT"], "a", encoding="ascii") as report:
            report.write(row)


def test_no_venue_is_left_out():
    with open(__file__, encoding="utf-8") as own:
        text = own.read()
    assert all(f'check(bus, tmp_path, certificates, "{venue}")' in text for venue in listed())


def test_no_message_of_binance_costs_an_allocation(bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, certificates, "binance")


def test_no_message_of_binance_us_costs_an_allocation(bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, certificates, "binance_us")


def test_no_message_of_binance_tr_costs_an_allocation(bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, certificates, "binance_tr")


def test_no_message_of_binance_usdm_costs_an_allocation(bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, certificates, "binance_usdm")


def test_no_message_of_binance_coinm_costs_an_allocation(bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, certificates, "binance_coinm")


def test_no_message_of_coinbase_costs_an_allocation(bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, certificates, "coinbase")


def test_no_message_of_coinbase_at_costs_an_allocation(bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, certificates, "coinbase_at")


def test_no_message_of_kraken_costs_an_allocation(bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, certificates, "kraken")


def test_no_message_of_bybit_costs_an_allocation(bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, certificates, "bybit")


def test_no_message_of_bybit_linear_costs_an_allocation(bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, certificates, "bybit_linear")


def test_no_message_of_okx_costs_an_allocation(bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, certificates, "okx")


def test_no_message_of_bitstamp_costs_an_allocation(bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, certificates, "bitstamp")


def test_no_message_of_deribit_costs_an_allocation(bus, tmp_path, certificates):  # noqa: F811
    check(bus, tmp_path, certificates, "deribit")
