"""Thousands of symbols over several connections, a tenth of them changed each second: nothing is lost of
the others, and no limit of the venue is broken (it closes the connection when one is)."""
import itertools
import os
import re
import signal
import time

from px import Sim, bus, wait_for  # noqa: F401

SYMBOLS, CHANGED = 3000, 300
SECONDS = int(os.environ.get("PX_CHURN_SECONDS", "12"))
WATCHED = 40


def name(i):
    return f"S{i:05d}USDT"


def write(path, symbols):
    lines = "\n   ".join(" ".join(symbols[i:i + 10]) for i in range(0, len(symbols), 10))
    fresh = path.with_suffix(".new")
    fresh.write_text(f"[bus]\ngrace_ms = 100\n[binance]\nsymbols = {lines}\nkinds = trade quote\n")
    fresh.rename(path)


def live(bus):  # noqa: F811
    _, stat = bus.stat()
    subs = stat["subscriptions"]
    return len(subs) == SYMBOLS and all(s["state"] == "live" for s in subs) and stat


def test_a_tenth_of_three_thousand_symbols_changes_each_second(bus, tmp_path):  # noqa: F811
    stay = [name(i) for i in range(SYMBOLS - CHANGED)]
    guests = itertools.cycle(range(SYMBOLS, SYMBOLS + 20 * CHANGED))  # names come back in the end
    config = tmp_path / "feeder.ini"
    write(config, stay + [name(next(guests)) for _ in range(CHANGED)])
    with Sim(rate=1500) as sim:
        feeder = bus.feeder(config=config, endpoint=sim.url, capacity=4096, limits="venue")
        stat = wait_for(lambda: live(bus), 60, "3,000 live symbols")
        connections = len(stat["connections"])
        assert connections >= 6
        tail = bus.tail_process(*(f"binance:{s}" for s in stay[::len(stay) // WATCHED]),
                                kinds="trade")
        begin = time.monotonic()
        for second in range(SECONDS):
            write(config, stay + [name(next(guests)) for _ in range(CHANGED)])
            feeder.send(signal.SIGHUP)
            wait_for(lambda: bus.counter("config_reloads") > second, what="the new list")
            time.sleep(max(0.0, begin + second + 1 - time.monotonic()))  # the pace is the test's
        wait_for(lambda: live(bus), 30, "all live again")
        check(bus, feeder, connections, begin)
        ticks = tail.lines()
    check_trades(ticks)


def check(bus, feeder, connections, begin):  # noqa: F811
    _, stat = bus.stat()
    counters = stat["counters"]
    # one more may have come: what was asked for a moment ago still counts
    assert {c["state"] for c in stat["connections"]} == {"live"}
    assert connections <= len(stat["connections"]) <= connections + 2
    assert sum(c["reconnects"] for c in stat["connections"]) == 0
    for c in ("gaps", "frames_bad", "refusals", "unanswered", "connect_failures"):
        assert counters[c] == 0, (c, counters[c])
    assert "closes with" not in feeder.err() and "closed by" not in feeder.err()
    # it did change: as many symbols were asked for as the venue's limit of messages allows
    assert counters["subscribes_sent"] > SECONDS and counters["unsubscribes_sent"] > SECONDS
    sent = counters["subscribes_sent"] + counters["unsubscribes_sent"]
    assert sent < 5 * len(stat["connections"]) * (time.monotonic() - begin + 10)


def check_trades(ticks):
    """Of those that stayed every trade came, once and in order."""
    last = {}
    for t in ticks:
        if t["kind"] != "trade":
            assert t.get("event") not in ("gap", "stale", "lost"), t
            continue
        trade_id = int(t["trade_id"])
        assert last.get(t["symbol"], trade_id - 1) == trade_id - 1, t
        last[t["symbol"]] = trade_id
    assert len(last) >= WATCHED and re.match(r"binance:S\d+USDT", next(iter(last)))
