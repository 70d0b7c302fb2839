"""A restart under traffic: a rear-guard reads the old connections until the new ones carry all. Every
trade is published once and in order, whoever ends when; nothing of it stays behind."""
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

import px
from px import Bus, Sim, bus, certificates, run, wait_for  # noqa: F401
from test_overlap import SYMBOLS, check_row
from test_venues import VENUES

ENDED = r"restart: the rear-guard (has ended|gave no sign|is not understood)"


def start(bus, tmp_path, sim, tls=None, **keys):  # noqa: F811
    """A feeder of twenty symbols at the exchange, and a reader of all trades since the start."""
    config = tmp_path / "feeder.ini"
    write(config, sim, tls=tls, **keys)
    tail = bus.tail_process(all=True, wait=True, kinds="trade")
    feeder = bus.feeder(config=config)
    tail.wait_lines(lambda ticks: len(ticks) > 500, what="trades")
    return feeder, tail


def write(config, sim, tls=None, **keys):
    bus_keys = f"ring = {1 << 20}\n" + (f"tls_ca = {tls.ca}\n" if tls else "")
    lines = "".join(f"{k} = {v}\n" for k, v in keys.items())
    config.write_text(f"[bus]\n{bus_keys}{lines}[binance]\nsymbols = {' '.join(SYMBOLS)}\n"
                      f"kinds = trade quote\nendpoint = {sim.url}\n")


def restart(bus, *args):  # noqa: F811
    done = run("pxrestart", "-b", bus.name, *args)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask_restart(bus):  # noqa: F811
    """Without waiting for what it brings."""
    return subprocess.Popen([px.program("pxrestart"), "-b", bus.name], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def epoch(bus):  # noqa: F811
    return bus.stat()[1]["bus"]["epoch"]


def rear(feeder, count=1):
    """Pid of the rear-guard that the log names, once the feeder after it hears it."""
    match = feeder.wait_err(r"rear-guard (\d+) reads \d+ connections", count=count)
    feeder.wait_err("the connection of before is read until", count=count)
    return int(match[1])


def gone(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"  # of a parent that was killed: somebody else reaps it


def files(pid):
    """What the descriptors of a process are, but for the first three."""
    found = {}
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        if int(fd.name) > 2:
            found[int(fd.name)] = os.readlink(fd)
    return found


def trades(tail):
    return [t for t in tail.lines() if t["kind"] == "trade"]


def go_on(tail, more=1500):
    seen = len(trades(tail))
    tail.wait_lines(lambda ticks: len(ticks) > seen + more, what="trades of the new connection")


def sequences_rise(tail):
    numbers = [t["seq"] for t in tail.lines() if t["seq"] is not None]
    assert numbers == sorted(set(numbers))


# ---- nothing is missed ----

def misses_nothing(bus, tmp_path, sim, tls=None, **keys):  # noqa: F811
    feeder, tail = start(bus, tmp_path, sim, tls, **keys)
    said = restart(bus)
    assert "no gap in the ids" in said, said
    feeder.wait_err("restart: the rear-guard has ended: [1-9]")
    go_on(tail)
    check_row(tail.lines(), 3000)
    sequences_rise(tail)
    assert bus.counter("relayed") > 100 and bus.counter("duplicates") > 100
    for name in ("gaps", "frames_bad", "books_lost", "symbols_refused", "connect_failures"):
        assert bus.counter(name) == 0, name
    assert "warning" not in feeder.err() and "error" not in feeder.err()
    return feeder


def test_a_restart_at_five_thousand_messages_a_second_misses_no_trade(bus, tmp_path):  # noqa: F811
    with Sim(rate=5000) as sim:
        misses_nothing(bus, tmp_path, sim)


def test_nor_does_one_over_tls(bus, tmp_path, certificates):  # noqa: F811
    with Sim(rate=5000, tls=certificates) as sim:
        misses_nothing(bus, tmp_path, sim, certificates)


def test_nor_do_two_in_a_row_of_which_the_second_waits(bus, tmp_path):  # noqa: F811
    with Sim(rate=2000) as sim:
        feeder, tail = start(bus, tmp_path, sim)
        restart(bus)
        restart(bus)
        assert epoch(bus) == 3
        assert "the restart waits until the overlap of the last one is over" in feeder.err()
        feeder.wait_err(ENDED, count=2)
        go_on(tail)
        check_row(tail.lines(), 3000)
        sequences_rise(tail)
        assert bus.counter("gaps") == 0


def test_nor_does_one_of_the_feeders_own_accord(bus, tmp_path):  # noqa: F811
    with Sim(rate=2000) as sim:
        feeder, tail = start(bus, tmp_path, sim, restart_every="4s", restart_min_s=1)
        wait_for(lambda: epoch(bus) == 2, what="the restart")
        feeder.wait_err(ENDED)
        go_on(tail, 500)
        check_row(tail.lines(), 2000)
        assert bus.counter("gaps") == 0


def row(tail, symbol):
    return [t["trade_id"] for t in trades(tail) if t["symbol"] == symbol]


def is_part(part, whole):
    """What the restarted feeder had, beside one that went on: the same, as far as both have seen."""
    first = whole.index(part[0]) if part[0] in whole else None
    if first is None:  # it had begun before the other
        first, part = 0, part[part.index(whole[0]):]
    common = min(len(part), len(whole) - first)
    assert common > 20
    assert part[:common] == whole[first:first + common]


def test_each_family_brings_the_trades_that_a_feeder_without_a_restart_has(bus, tmp_path):  # noqa: F811
    other = Bus(tmp_path / "other")
    other.directory.mkdir()
    config = tmp_path / "feeder.ini"
    text, symbols = "[bus]\nring = 1048576\n", []
    try:
        for venue, (one, two, _) in VENUES.items():
            sim = Sim(venue=venue, rate=300)
            bus.processes.append(sim)
            text += (f"[{venue}]\nsymbols = {one} {two}\nkinds = trade quote\nendpoint = {sim.url}\n")
            symbols += [f"{venue}:{one}", f"{venue}:{two}"]
        config.write_text(text)
        tails = []
        for b in (other, bus):
            tails.append(b.tail_process(all=True, wait=True, kinds="trade"))
            feeder = b.feeder(config=config)
        for tail in tails:
            wait_for(lambda: min(len(row(tail, s)) for s in symbols) > 20, 60, "all")  # noqa: B023
        restart(bus)
        feeder.wait_err("restart: the rear-guard has ended: [1-9]")
        seen = {s: len(row(tails[1], s)) for s in symbols}
        wait_for(lambda: all(len(row(tails[1], s)) > seen[s] + 20 for s in symbols), 60, "more")
        went_on, restarted = tails
        for symbol in symbols:
            is_part(row(restarted, symbol), row(went_on, symbol))
        for name in ("gaps", "frames_bad", "books_lost", "messages_missing"):
            assert bus.counter(name) == 0, (name, bus.stat()[1]["errors"])
        assert not [t for t in restarted.lines() if t["kind"] == "status" and
                    t["event"] in ("gap", "lost")]
    finally:
        other.close()
