"""Every venue of venues.def through the real feeder, against its simulated exchange: what is asked for
comes, live, with nothing refused and nothing missing."""
import re

import pytest

from px import SOURCE, Sim, bus, wait_for  # noqa: F401

# Two symbols as the venue writes them, and the kinds that it brings.
VENUES = {
    "binance": ("BTCUSDT", "ETHUSDT", "trade quote ticker"),
    "binance_us": ("BTCUSDT", "ETHUSDT", "trade quote ticker"),
    "binance_tr": ("BTCUSDT", "ETHUSDT", "trade quote ticker"),
    "binance_usdm": ("BTCUSDT", "ETHUSDT", "trade quote ticker"),
    "binance_coinm": ("BTCUSD_PERP", "ETHUSD_PERP", "trade quote ticker"),
    "coinbase": ("BTC-USD", "ETH-USD", "trade quote ticker"),
    "coinbase_at": ("BTC-USD", "ETH-USD", "trade quote ticker"),
    "kraken": ("BTC/USD", "ETH/USD", "trade quote ticker"),
    "bybit": ("BTCUSDT", "ETHUSDT", "trade quote ticker"),
    "bybit_linear": ("BTCUSDT", "ETHUSDT", "trade quote ticker"),
    "okx": ("BTC-USDT", "ETH-USDT", "trade quote ticker"),
    "bitstamp": ("btcusd", "ethusd", "trade quote"),
    "deribit": ("BTC-PERPETUAL", "ETH-PERPETUAL", "trade quote ticker"),
}
DEPTH = ("bybit", "bybit_linear", "okx", "deribit")


def listed():
    text = (SOURCE / "feeder" / "venues" / "venues.def").read_text()
    return re.findall(r"^PX_VENUE\((\w+)\)", text, re.M)


def test_no_venue_is_left_out():
    assert set(listed()) <= set(VENUES)


def start(bus, tmp_path, venue, kinds, **sim):  # noqa: F811
    symbols = VENUES[venue][:2]
    config = tmp_path / "feeder.ini"
    config.write_text(f"[bus]\nno_data_ms = 20000\n[{venue}]\nsymbols = {' '.join(symbols)}\n"
                      f"kinds = {kinds}\n")
    simulated = Sim(venue=venue, rate=400, **sim)
    bus.processes.append(simulated)
    feeder = bus.feeder(config=config, endpoint=simulated.url, venue=venue, limits="venue")
    return simulated, feeder, [f"{venue}:{s}" for s in symbols]


def seen(ticks, symbol):
    return {t["kind"] for t in ticks if t["symbol"] == symbol}


def decimals(ticks):
    """No price or size is negative, absent or without digits; a quote has its bid below its ask."""
    for t in ticks:
        if t["kind"] == "trade":
            assert float(t["price"]) > 0 and float(t["size"]) > 0 and t["side"] in ("buy", "sell")
        elif t["kind"] == "quote":
            assert 0 < float(t["bid"]) < float(t["ask"]), t


def check_clean(bus, feeder):  # noqa: F811
    code, stat = bus.stat()
    assert code == 0, stat
    for name in ("frames_bad", "gaps", "books_lost", "messages_missing", "refusals", "unanswered",
                 "connect_failures", "decimals_refused"):
        assert stat["counters"][name] == 0, (name, stat["counters"][name], stat["errors"])
    assert {c["state"] for c in stat["connections"]} == {"live"}
    assert "warning" not in feeder.err() and "error" not in feeder.err()


def flows(bus, tmp_path, venue, kinds=None):  # noqa: F811
    kinds = kinds or VENUES[venue][2]
    wanted = set(kinds.replace("depth", "quote").split())
    _, feeder, symbols = start(bus, tmp_path, venue, kinds)
    tail = bus.tail_process(*symbols, kinds=",".join(sorted(wanted)))
    tail.wait_lines(lambda ticks: all(wanted <= seen(ticks, s) for s in symbols) and
                    len(ticks) > 600, 60, f"{wanted} of {symbols}")
    decimals(tail.lines())
    check_clean(bus, feeder)
    # and nothing more once nobody wants it
    tail.kill()
    assert feeder.stop() == 0


def test_binance_flows(bus, tmp_path):  # noqa: F811
    flows(bus, tmp_path, "binance")


def test_binance_us_flows(bus, tmp_path):  # noqa: F811
    flows(bus, tmp_path, "binance_us")


def test_binance_tr_flows(bus, tmp_path):  # noqa: F811
    flows(bus, tmp_path, "binance_tr")


def test_binance_usdm_flows(bus, tmp_path):  # noqa: F811
    flows(bus, tmp_path, "binance_usdm")


def test_binance_coinm_flows(bus, tmp_path):  # noqa: F811
    flows(bus, tmp_path, "binance_coinm")


def test_coinbase_flows(bus, tmp_path):  # noqa: F811
    flows(bus, tmp_path, "coinbase")


def test_coinbase_at_flows(bus, tmp_path):  # noqa: F811
    flows(bus, tmp_path, "coinbase_at")


def test_kraken_flows(bus, tmp_path):  # noqa: F811
    flows(bus, tmp_path, "kraken")


def test_bybit_flows(bus, tmp_path):  # noqa: F811
    flows(bus, tmp_path, "bybit")


def test_bybit_linear_flows(bus, tmp_path):  # noqa: F811
    flows(bus, tmp_path, "bybit_linear")


def test_okx_flows(bus, tmp_path):  # noqa: F811
    flows(bus, tmp_path, "okx")


def test_bitstamp_flows(bus, tmp_path):  # noqa: F811
    flows(bus, tmp_path, "bitstamp")


def test_deribit_flows(bus, tmp_path):  # noqa: F811
    flows(bus, tmp_path, "deribit")


@pytest.mark.parametrize("venue", DEPTH)
def test_quotes_come_out_of_deeper_books_where_they_are_asked_for(bus, tmp_path, venue):  # noqa: F811
    flows(bus, tmp_path, venue, "trade depth")


# A symbol that does not exist, and what the venue says of it; None: it accepts it, and nothing comes.
UNKNOWN = {
    "binance": ("NOSUCHCOINUSDTXXXXXXX", None),
    "binance_usdm": ("NOSUCHCOINUSDTXXXXXXX", None),
    "coinbase": ("NOPE-XYZ", "not a valid product"),
    "coinbase_at": ("NOPE-XYZ", ""),
    "kraken": ("NOPE/XYZ", "Currency pair not supported NOPE/XYZ"),
    "bybit": ("NOPEUSDT", ""),
    "bybit_linear": ("NOPEUSDT", "handler not found"),
    "okx": ("NOPE-XYZ", "doesn't exist"),
    "bitstamp": ("nopexyz", None),
    "deribit": ("NOPE-PERPETUAL", ""),
}


@pytest.mark.parametrize("venue", UNKNOWN)
def test_unknown_symbols_are_said_and_cost_the_others_nothing(bus, tmp_path, venue):  # noqa: F811
    unknown, words = UNKNOWN[venue]
    good = VENUES[venue][0]
    config = tmp_path / "feeder.ini"
    config.write_text(f"[bus]\nno_data_ms = 1500\n[{venue}]\nsymbols = {good} {unknown}\n"
                      "kinds = trade quote\n")
    bus.processes.append(sim := Sim(venue=venue, rate=300, symbols=good))
    bus.feeder(config=config, endpoint=sim.url, venue=venue, limits="venue")

    def told():
        good_one = bus.subscription(f"{venue}:{good}") or {}
        bad_one = bus.subscription(f"{venue}:{unknown}") or {}
        if good_one.get("state") != "live":
            return None
        if words is None:
            return "nothing has come" in (bad_one.get("cause") or "") and bad_one
        return bad_one.get("state") == "closed" and bad_one
    entry = wait_for(told, 30, f"what {venue} says of {unknown}")
    assert words is None or words in entry["text"], entry


# What of a venue's messages proves that some are missing: ids of trades, or the book.
PROOF = {"binance": "trade", "binance_usdm": "trade", "coinbase": "trade", "kraken": "quote",
         "coinbase_at": "quote", "okx": "depth", "bybit": "depth", "bybit_linear": "depth",
         "deribit": "depth"}


@pytest.mark.parametrize("venue", PROOF)
def test_missing_messages_are_said_and_healed(bus, tmp_path, venue):  # noqa: F811
    tail = bus.tail_process(all=True, wait=True)  # from the first tick on
    _, _, symbols = start(bus, tmp_path, venue, PROOF[venue], fault="sequence-gap:3")
    gap = tail.wait_lines(lambda ticks: [t for t in ticks if t.get("event") == "gap"], 40, "a gap")

    def healed():
        after = [t for t in tail.lines() if (t["seq"] or 0) > gap[0]["seq"] and
                 t["kind"] in ("trade", "quote")]
        return len(after) > 10 and all((bus.subscription(s) or {}).get("state") == "live"
                                       for s in symbols)
    wait_for(healed, 40, "all live again")
    _, stat = bus.stat()
    assert stat["counters"]["gaps"] >= 1
    assert [c["reconnects"] for c in stat["connections"]] == [0] * len(stat["connections"])
