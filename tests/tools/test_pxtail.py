"""pxtail: what it prints, when it ends, and what it says by itself when its feeder falls silent."""
import fcntl
import json
import os
import re
import signal
import subprocess
import time

import pytest

from px_tools import (BIN, BUILD, CARRIED, LIVE, STALE, Writer, bus_name, lines_of, pxstat, pxtail,
                      remove, stat, state_of, tool, until)
from px_tools import feeder, new_writer, tail, writer  # noqa: F401  (fixtures)

SYMBOL = "binance:BTCUSDT"
TICK = ("trade", "quote", "ticker")


def one_line(text):
    assert text.endswith("\n") and text.count("\n") == 1, text
    return text.strip()


def prices(lines):
    return [x for x in lines if x["kind"] in TICK]


def test_count_ends_after_so_many_ticks(feeder):
    done = pxtail(feeder.bus, "--json", "-n", 7, "-t", 15, SYMBOL, "binance:ETHUSDT")
    assert done.returncode == 0, done.stderr
    lines = lines_of(done.stdout)
    assert len(prices(lines)) == 7
    assert {x["symbol"] for x in prices(lines)} <= {SYMBOL, "binance:ETHUSDT"}
    assert {x["kind"] for x in prices(lines)} <= {"trade", "quote"}
    seqs = [x["seq"] for x in lines if x["seq"] is not None]
    assert seqs == sorted(set(seqs))


def test_kinds_choose_what_is_printed(feeder):
    for kinds in ("trade", "quote"):
        done = pxtail(feeder.bus, "--json", "-n", 3, "-t", 15, "--kinds", kinds, SYMBOL)
        assert done.returncode == 0
        assert {x["kind"] for x in prices(lines_of(done.stdout))} == {kinds}


def test_fewer_than_the_count_in_time_is_exit_1(writer):
    writer.say(f"trade {SYMBOL} 1.0 1")
    begin = time.monotonic()
    done = pxtail(writer.bus, "--all", "-n", 5, "--timeout", 0.5)
    assert done.returncode == 1
    assert 0.4 < time.monotonic() - begin < 5
    assert pxtail(writer.bus, "--all", "--timeout", 0.2).returncode == 0


def test_all_prints_everything_without_a_subscription(writer, tail):
    t = tail(writer.bus, "--all", "--kinds", "all", "-n", 4)
    # it streams from its attachment on: talk until it hears
    until(lambda: writer.say(f"status {SYMBOL} 5 0") and t.lines(), "the first line")
    writer.say(f"trade {SYMBOL} 0.0010 1", "quote kraken:BTC/USD 1 - 2.50 -",
               "ticker a:B 1 2 3 4", f"trade {SYMBOL} 2 1 99")
    assert t.process.wait(20) == 0
    trade, quote, ticker, last = prices(t.lines())
    assert trade["price"] == "0.0010" and trade["side"] == "sell" and trade["flags"] == []
    assert (quote["symbol"], quote["ask"], quote["bid_size"]) == ("kraken:BTC/USD", "2.50", None)
    assert [ticker[k] for k in ("last", "open", "high", "low")] == ["1", "2", "3", "4"]
    assert last["trade_id"] == "99"
    assert any(x["event"] == "bind" and x["symbol"] == "a:B"
               for x in t.lines() if x["kind"] == "status")
    assert stat(writer.bus)["subscriptions"] == []


def test_text_lines_are_for_people(writer):
    writer.say(f"trade {SYMBOL} 61837.63000000 0.5")
    done = pxtail(writer.bus, "--snapshot", "--all")
    assert done.returncode == 0
    line = done.stdout.splitlines()[0]
    assert SYMBOL in line and "61837.63000000" in line and "sell" in line


def test_snapshot_prints_the_last_values_and_ends(feeder):
    done = pxtail(feeder.bus, "--json", "--snapshot", SYMBOL, "binance:ETHUSDT", timeout=15)
    assert done.returncode == 0, done.stderr
    symbols = [x["symbol"] for x in prices(lines_of(done.stdout))]
    assert set(symbols) == {SYMBOL, "binance:ETHUSDT"}


def test_snapshot_subscribes_to_what_is_not_on_the_bus(feeder):
    done = pxtail(feeder.bus, "--json", "--snapshot", "binance:SHIBUSDT", timeout=15)
    assert done.returncode == 0, done.stderr
    assert prices(lines_of(done.stdout))[0]["symbol"] == "binance:SHIBUSDT"


def test_snapshot_of_a_dead_bus_says_that_prices_are_stale(writer):
    writer.say(f"trade {SYMBOL} 7.00 1", f"quality {SYMBOL} {LIVE} 0")
    writer.kill()

    def stale():
        done = pxtail(writer.bus, "--json", "--snapshot", SYMBOL)
        assert done.returncode == 0, done.stderr
        lines = lines_of(done.stdout)
        assert lines[0]["price"] == "7.00"
        return lines[-1]["kind"] == "status" and lines[-1]

    line = until(stale, "it is said", 5)
    assert line["event"] == "stale" and "sign of life" in line["cause"]


def test_snapshot_of_an_unknown_symbol_is_exit_1(writer):
    done = pxtail(writer.bus, "--snapshot", "binance:NOSUCH")
    assert done.returncode == 1 and done.stdout == ""
    assert one_line(done.stderr).startswith("pxtail: binance:NOSUCH: ")


@pytest.mark.parametrize("symbol,words", [("nosuch:BTCUSDT", "unknown venue"),
                                          ("binance:", "symbol"), ("BTCUSDT", ""),
                                          ("binance:btc usdt", ""), ("binance:" + "X" * 48, "47")])
def test_bad_symbol_is_one_sentence_and_exit_1(feeder, symbol, words):
    done = pxtail(feeder.bus, "-n", 1, "-t", 5, symbol)
    assert done.returncode == 1 and done.stdout == ""
    assert one_line(done.stderr).startswith(f"pxtail: {symbol}: ")
    assert words in done.stderr


def test_no_bus_is_exit_1():
    done = pxtail(bus_name(), SYMBOL)
    assert done.returncode == 1 and done.stdout == ""
    assert "no such bus" in one_line(done.stderr)


def test_no_feeder_is_exit_1(writer):
    done = pxtail(writer.bus, SYMBOL)
    assert done.returncode == 1
    assert "no feeder answers" in one_line(done.stderr)


def test_usage_is_exit_2():
    for args in ((), ("--all", SYMBOL), ("--kinds", "price", SYMBOL), ("-n", "0", SYMBOL),
                 ("-n", "x", SYMBOL), ("--timeout", "-1", SYMBOL), ("--nonsense",), ("-n",)):
        done = tool("pxtail", *args)
        assert (done.returncode, done.stdout) == (2, ""), args
        assert one_line(done.stderr).startswith("pxtail: ")


def test_wait_awaits_a_bus_that_is_not_there_yet(tail, new_writer):
    bus = bus_name()
    t = tail(bus, "--all", "--wait", "-n", 1, "-t", 20)
    until(lambda: state_of(t.process.pid) == "S", "it waits")
    w = new_writer(bus)
    until(lambda: w.say(f"trade {SYMBOL} 1 1") and t.process.poll() is not None, "it heard")
    assert t.process.wait() == 0 and len(prices(t.lines())) == 1


def test_wait_ends_with_exit_1_when_time_is_up():
    done = pxtail(bus_name(), "--wait", "-t", 0.3, SYMBOL)
    assert done.returncode == 1
    assert "in time" in one_line(done.stderr)


def test_closed_pipe_is_exit_0(writer):
    process = subprocess.Popen([BIN / "pxtail", "--all", "-b", writer.bus], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    # nothing comes on this bus: it notices by itself that nobody reads
    process.stdout.close()
    assert process.wait(10) == 0
    assert process.stderr.read() == b""
    process.stderr.close()
    process = subprocess.Popen([BIN / "pxtail", "--all", "-b", writer.bus], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    writer.say(f"stream {SYMBOL} 20000")
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(10) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_lines_are_whole_and_flushed_when_it_waits(writer, tail):
    t = tail(writer.bus, "--all")
    until(lambda: writer.say(f"trade {SYMBOL} 1 1") and t.lines(), "a line is there at once")
    assert len(t.lines()) < 100, "it came when it was due, not when a buffer was full"
    process = subprocess.Popen([BIN / "pxtail", "--all", "--json", "-b", writer.bus],
                               stdout=subprocess.PIPE)
    writer.say(f"stream {SYMBOL} 200000")
    text = b""
    # a small pipe makes it stand in the middle of a burst, where it is then stopped in order
    fcntl.fcntl(process.stdout, 1031, 4096)
    while len(text) < 100000:
        text += process.stdout.read1(65536)
    process.terminate()
    text += process.stdout.read()
    assert process.wait(10) == 0
    process.stdout.close()
    assert len(lines_of(text.decode())) > 100


def test_overrun_is_a_status_line_with_the_count(new_writer, tail):
    w = new_writer(capacity=4, ring=64)
    t = tail(w.bus, "--all")
    until(lambda: w.say(f"trade {SYMBOL} 1 1") and prices(t.lines()), "it listens")
    before = len(prices(t.lines()))
    t.process.send_signal(signal.SIGSTOP)
    until(lambda: state_of(t.process.pid) == "T", "stopped")
    head = stat(w.bus)["bus"]["sequence"]
    before = until(lambda: prices(t.lines()), "lines")[-1]["seq"]
    w.say(f"burst {SYMBOL} 1000")
    t.process.send_signal(signal.SIGCONT)
    until(lambda: t.find(event="lost"), "the loss is said")
    until(lambda: prices(t.lines())[-1]["seq"] == head + 1000, "it goes on to the end")
    lost = sum(x["count"] for x in t.find(event="lost"))
    came = [x["seq"] for x in prices(t.lines()) if x["seq"] > before]
    assert lost > 0 and lost + len(came) == head + 1000 - before
    assert all(x["symbol"] is None and x["seq"] is None for x in t.find(event="lost"))


def test_stall_of_the_feeder_is_said_within_seconds(feeder, tail):
    t = tail(feeder.bus, SYMBOL)
    until(lambda: prices(t.lines()), "prices")
    feeder.process.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    line = until(lambda: t.find(event="stale", symbol=SYMBOL), "stale", 10)[0]
    waited = time.monotonic() - begin
    print(f"said after {waited:.2f} s")
    assert waited < 5
    assert "sign of life" in line["cause"] and line["seq"] is None
    feeder.process.send_signal(signal.SIGCONT)
    until(lambda: t.find(event="live", symbol=SYMBOL), "live again")
    assert len(t.find(event="stale", symbol=SYMBOL)) == 1


def test_death_and_return_of_the_feeder_are_followed(feeder, tail):
    t = tail(feeder.bus, SYMBOL)
    until(lambda: prices(t.lines()), "prices")
    feeder.process.kill()
    feeder.process.wait()
    until(lambda: t.find(event="stale", symbol=SYMBOL), "stale", 10)
    count = len(prices(t.lines()))
    feeder.start()
    until(lambda: t.find(event="carried"), "carried")
    until(lambda: len(prices(t.lines())) > count + 3, "prices again")
    assert t.process.poll() is None
    assert t.said() == ""
    seqs = [x["seq"] for x in t.lines() if x["seq"] is not None]
    assert seqs == sorted(set(seqs))


def test_what_the_feeder_says_is_not_said_twice(feeder, tail):
    t = tail(feeder.bus, SYMBOL)
    until(lambda: prices(t.lines()), "prices")
    feeder.signal_exchanges(signal.SIGKILL)
    line = until(lambda: t.find(event="stale", symbol=SYMBOL), "stale")[0]
    assert line["seq"] is not None and "connection" in line["cause"]
    time.sleep(1.5)  # longer than a fresh subscription may take, and then two looks
    assert len(t.find(event="stale", symbol=SYMBOL)) == 1, t.lines()[-5:]


def test_all_says_by_itself_that_the_bus_stalls(writer, tail):
    t = tail(writer.bus, "--all")
    until(lambda: writer.say(f"trade {SYMBOL} 1 1") and t.lines(), "it listens")
    writer.signal(signal.SIGSTOP)
    line = until(lambda: t.find(event="stale"), "stale", 10)[0]
    assert line["symbol"] is None and "sign of life" in line["cause"]
    writer.signal(signal.SIGCONT)
    until(lambda: t.find(event="live"), "live", 10)


def test_reader_that_is_stopped_or_killed_leaves_the_list(feeder, tail):
    def listed(t):
        return [r for r in stat(feeder.bus)["readers"] if r["pid"] == t.process.pid]

    first, second = tail(feeder.bus, SYMBOL), tail(feeder.bus, SYMBOL)
    for t in (first, second):
        (reader,) = until(lambda t=t: listed(t), "the reader is listed")
        assert reader["name"] == "pxtail"
    assert str(first.process.pid) in pxstat(feeder.bus, "--readers").stdout

    def readers_of_symbol():
        return next(s for s in stat(feeder.bus)["subscriptions"]
                    if s["symbol"] == SYMBOL)["readers"]

    until(lambda: readers_of_symbol() >= 2, "both count")
    count = readers_of_symbol()
    first.process.send_signal(signal.SIGSTOP)
    first.process.kill()
    first.process.wait()
    begin = time.monotonic()
    until(lambda: not listed(first), "the killed one vanishes", 5)
    print(f"gone after {time.monotonic() - begin:.2f} s")
    until(lambda: readers_of_symbol() == count - 1, "its subscription went too")
    assert listed(second)


def test_keeps_up_with_a_busy_bus(new_writer):
    """Reported, never asserted: lines a second as JSON."""
    w = new_writer(ring=1 << 20)
    w.say(f"trade {SYMBOL} 1 1")
    with open(os.devnull, "w", encoding="ascii") as null:
        process = subprocess.Popen([BIN / "pxtail", "--all", "--json", "-n", "500000", "-t", "20",
                                    "-b", w.bus], stdout=null)
        begin = time.monotonic()
        while process.poll() is None and time.monotonic() - begin < 20:
            w.say(f"burst {SYMBOL} 20000")
        print(f"{500000 / (time.monotonic() - begin):.0f} lines/s")
        assert process.wait(20) == 0
