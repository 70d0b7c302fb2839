"""A restart under traffic: a rear-guard reads the old connections until the new ones carry all. Every
trade is published once and in order, whoever ends when; nothing of it stays behind."""
import asyncio
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest
import websockets

import px
from connect_proxy import ConnectProxy
from px import Bus, Sim, bus, certificates, run, wait_for  # noqa: F401
from test_feeder import trade
from test_overlap import SYMBOLS, check_row
from test_venues import VENUES

# Its trades have no numbers: where one connection follows another is told by times, to the ms.
WITHOUT_IDS = "bybit_linear:"
ENDED = r"restart: the rear-guard (has ended|gave no sign|is not understood)"


def start(bus, tmp_path, sim, tls=None, **keys):  # noqa: F811
    """A feeder of twenty symbols at the exchange, and a reader of all trades since the start."""
    config = tmp_path / "feeder.ini"
    write(config, sim, tls=tls, **keys)
    tail = bus.tail_process(all=True, wait=True, kinds="trade")
    feeder = bus.feeder(config=config)
    tail.wait_lines(lambda ticks: len(ticks) > 500, what="trades")
    return feeder, tail


def write(config, sim, tls=None, redundancy=1, **keys):
    bus_keys = f"ring = {1 << 20}\n" + (f"tls_ca = {tls.ca}\n" if tls else "")
    lines = "".join(f"{k} = {v}\n" for k, v in keys.items())
    config.write_text(f"[bus]\n{bus_keys}{lines}[binance]\nsymbols = {' '.join(SYMBOLS)}\n"
                      f"kinds = trade quote\nredundancy = {redundancy}\nendpoint = {sim.url}\n")


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


def test_nor_does_one_with_two_connections_at_all_times(bus, tmp_path):  # noqa: F811
    with Sim(rate=2000) as sim:
        feeder = misses_nothing(bus, tmp_path, sim, redundancy=2)
        assert re.search(r"rear-guard \d+ reads 2 connections", feeder.err())
        assert bus.counter("connects") == 4
        assert [c["state"] for c in bus.stat()[1]["connections"]] == ["live", "live"]


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


def rows(tail):
    """Ids of the trades of each symbol."""
    found = {}
    for t in trades(tail):
        found.setdefault(t["symbol"], []).append(t["trade_id"])
    return found


def least(tail, symbols, before=None):
    """How many trades there are of each symbol, beyond those before."""
    now = rows(tail)
    return min(len(now.get(s, ())) - len((before or {}).get(s, ())) for s in symbols)


def is_part(symbol, part, whole):
    """What the restarted feeder had, beside one that went on: the same, as far as both have seen."""
    first = whole.index(part[0]) if part[0] in whole else None
    if first is None:  # it had begun before the other
        first, part = 0, part[part.index(whole[0]):]
    common = min(len(part), len(whole) - first)
    assert common > 20
    for a, b in zip(part[:common], whole[first:first + common]):
        assert a == b, (symbol, a, part[part.index(a) - 3:][:8], whole[whole.index(b) - 3:][:8])


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
            wait_for(lambda: least(tail, symbols) > 20, 60, "all")  # noqa: B023
        restart(bus)
        feeder.wait_err("restart: the rear-guard has ended: [1-9]")
        before = rows(tails[1])
        wait_for(lambda: least(tails[1], symbols, before) > 20, 60, "more")
        restarted, went_on = rows(tails[1]), rows(tails[0])
        for symbol in symbols:
            assert len(set(restarted[symbol])) == len(restarted[symbol]), symbol
            if not symbol.startswith(WITHOUT_IDS):
                is_part(symbol, restarted[symbol], went_on[symbol])
        for name in ("gaps", "frames_bad", "books_lost", "messages_missing"):
            assert bus.counter(name) == 0, (name, bus.stat()[1]["errors"])
        assert not [t for t in tails[1].lines() if t["kind"] == "status" and
                    t["event"] in ("gap", "lost")]
    finally:
        other.close()


# ---- whoever ends, and when ----

class Gate(ConnectProxy):
    """The way to the exchange; shut, it lets no new connection through and keeps those that are."""
    copied = 0  # bytes, of both directions

    async def _copy(self, reader, writer):
        while data := await reader.read(65536):
            self.copied += len(data)
            writer.write(data)
            await writer.drain()
        writer.close()

    def shut(self):
        self.answer = 503

    def open(self):
        self.answer = None


@pytest.fixture
def gate():
    with Gate() as g:
        yield g


@pytest.fixture
def sim():
    with Sim(rate=1000) as s:
        yield s


@pytest.fixture
def overlap(bus, tmp_path, sim, gate):  # noqa: F811
    """A feeder after a restart that cannot connect: it lives by its rear-guard."""
    feeder, tail = start(bus, tmp_path, sim, proxy=gate.url, restart_overlap_s=60)
    gate.shut()
    restart(bus)
    return feeder, tail, rear(feeder)


def named_gaps(ticks):
    """Trades in order; what is missing between two of them is named by a STATUS gap, to the id."""
    last, missing, named = {}, [], []
    for t in ticks:
        if t["kind"] == "trade":
            trade_id = int(t["trade_id"])
            before = last.get(t["symbol"], trade_id - 1)
            assert trade_id > before, t
            if trade_id != before + 1:
                missing.append((t["symbol"], before + 1, trade_id - 1))
            last[t["symbol"]] = trade_id
        elif t["event"] == "gap":
            named.append((t["symbol"], int(t["first_id"]), int(t["last_id"])))
    assert sorted(missing) == sorted(named)
    return missing


def has_event(event):
    return lambda ticks: any(t["kind"] == "status" and t["event"] == event for t in ticks)


def reconnected(bus):  # noqa: F811
    wait_for(lambda: [c["state"] for c in bus.stat()[1]["connections"]] == ["live"] and
             bus.counter("connects") == 2, what="the new connection")


def test_prices_flow_from_the_rear_guard_while_the_venue_takes_no_connection(overlap, bus, gate):  # noqa: F811
    feeder, tail, pid = overlap
    go_on(tail)
    assert not gone(pid) and bus.counter("connects") == 1
    states = sorted(c["state"] for c in bus.stat()[1]["connections"])
    assert len(states) == 2 and "closing" in states and "live" not in states
    gate.open()
    feeder.wait_err("restart: the rear-guard has ended: [1-9]")
    go_on(tail)
    check_row(tail.lines(), 2000)
    wait_for(lambda: gone(pid), what="its end")
    assert "warning binance" in feeder.err()  # of the attempts, and of nothing else
    reconnected(bus)


def test_a_rear_guard_does_not_outlive_its_time_and_what_is_missing_then_is_named(
        bus, tmp_path, sim, gate):  # noqa: F811
    feeder, tail = start(bus, tmp_path, sim, proxy=gate.url, restart_overlap_s=1)
    gate.shut()
    restart(bus)
    pid = rear(feeder)
    feeder.wait_err("the rear-guard has ended: .*; not all connections have been taken over")
    wait_for(lambda: gone(pid), what="its end")
    tail.wait_lines(has_event("stale"), what="stale prices")
    gate.open()
    reconnected(bus)
    go_on(tail)
    assert len(named_gaps(tail.lines())) == len(SYMBOLS)


def test_a_rear_guard_that_is_killed_leaves_a_gap_that_is_named(overlap, bus, gate):  # noqa: F811
    feeder, tail, pid = overlap
    os.kill(pid, signal.SIGKILL)
    feeder.wait_err("the rear-guard has ended: .*; not all connections have been taken over")
    tail.wait_lines(has_event("stale"), what="stale prices")
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), what="it is reaped")
    gate.open()
    reconnected(bus)
    go_on(tail)
    assert len(named_gaps(tail.lines())) == len(SYMBOLS)


def test_a_rear_guard_that_hangs_is_killed(overlap, gate):
    feeder, tail, pid = overlap
    os.kill(pid, signal.SIGSTOP)
    gate.open()
    feeder.wait_err("the rear-guard gave no sign of life and was killed")
    assert not Path(f"/proc/{pid}").exists()
    go_on(tail)
    named_gaps(tail.lines())


def test_an_old_connection_that_the_venue_ends_in_the_overlap_is_no_prices_more(overlap, bus, gate):  # noqa: F811
    feeder, tail, pid = overlap
    gate.cut()
    feeder.wait_err("the connection of before has ended")
    feeder.wait_err(ENDED)
    tail.wait_lines(has_event("stale"), what="stale prices")
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), what="it is reaped")
    gate.open()
    reconnected(bus)
    go_on(tail)
    assert len(named_gaps(tail.lines())) == len(SYMBOLS)


def test_a_feeder_that_stands_still_finds_all_that_came_meanwhile(bus, tmp_path, gate):  # noqa: F811
    """More than the rear-guard holds: then the venue's sockets hold the rest."""
    with Sim(rate=5000) as busy:
        feeder, tail = start(bus, tmp_path, busy, proxy=gate.url, restart_overlap_s=60)
        gate.shut()
        restart(bus)
        rear(feeder)
        feeder.send(signal.SIGSTOP)
        before = gate.copied
        wait_for(lambda: gate.copied > before + (3 << 20), 45, "3 MiB of messages")
        feeder.send(signal.SIGCONT)
        gate.open()
        feeder.wait_err("restart: the rear-guard has ended: [1-9]")
        go_on(tail)
        assert not named_gaps(tail.lines())
        sequences_rise(tail)


def test_a_rear_guard_ends_with_a_feeder_that_is_killed(overlap, bus):  # noqa: F811
    feeder, _, pid = overlap
    feeder.kill()
    wait_for(lambda: gone(pid), 5, "its end")
    assert run("feeder", "-b", bus.name, "--remove").returncode == 0
    assert not bus.segment().exists()


def test_a_rear_guard_ends_with_a_feeder_that_is_told_to(overlap, bus):  # noqa: F811
    feeder, tail, pid = overlap
    assert feeder.stop() == 0
    assert not Path(f"/proc/{pid}").exists()
    assert tail.wait_lines(has_event("closed"), what="the last word")
    assert run("feeder", "-b", bus.name, "--remove").returncode == 0
    assert not bus.segment().exists()


def test_sigterm_while_a_restart_waits_wins(overlap, bus):  # noqa: F811
    feeder, _, pid = overlap
    with ask_restart(bus) as asked:
        feeder.wait_err("the restart waits until the overlap of the last one is over")
        feeder.send(signal.SIGTERM)
        assert feeder.wait() == 0
        asked.kill()
    assert not Path(f"/proc/{pid}").exists()


# ---- what it has, and what it has not ----

def test_a_rear_guard_has_its_connections_and_nothing_of_the_bus(overlap, bus):  # noqa: F811
    feeder, _, pid = overlap
    kinds = sorted(re.sub(r"\W.*", "", what) for what in files(pid).values())
    assert kinds == ["socket", "socket"]  # the venue, and the feeder
    maps = Path(f"/proc/{pid}/maps").read_text()
    assert f"px-{bus.name}" not in maps
    assert f"px-{bus.name}" in Path(f"/proc/{feeder.pid}/maps").read_text()
    assert Path(f"/proc/{pid}/comm").read_text() == "feeder-rear\n"


def test_a_feeder_has_no_descriptor_more_after_a_restart(bus, tmp_path, sim):  # noqa: F811
    feeder, _ = start(bus, tmp_path, sim)
    bus.wait_live()
    before = sorted(re.sub(r"\d+", "", what) for what in files(feeder.pid).values())
    for count in (1, 2):
        restart(bus)
        feeder.wait_err(ENDED, count=count)
    bus.wait_live()
    wait_for(lambda: sorted(re.sub(r"\d+", "", what) for what in files(feeder.pid).values()) == before,
             what="the same descriptors")
    environment = Path(f"/proc/{feeder.pid}/environ").read_text()
    assert environment.count("PX_REAR") <= 1  # as it was left to it; it has taken it away since


def test_what_readers_alone_want_goes_on_too(bus, sim):  # noqa: F811
    feeder = bus.feeder(endpoint=sim.url)
    tail = bus.tail_process("binance:BTCUSDT", kinds="trade")
    tail.wait_lines(lambda ticks: len(ticks) > 100, what="trades")
    restart(bus)
    feeder.wait_err(ENDED)
    go_on(tail, 300)
    assert not named_gaps(tail.lines()) and tail.running()
    sequences_rise(tail)


# ---- when there is none ----

def test_without_a_live_connection_a_restart_is_a_plain_one(bus, gate, sim):  # noqa: F811
    gate.shut()
    feeder = bus.feeder("binance:BTCUSDT", endpoint=sim.url, proxy=gate.url)
    feeder.wait_err("the proxy refused")
    with ask_restart(bus) as asked:
        feeder.wait_err("no overlap: no connection is live")
        wait_for(lambda: epoch(bus) == 2, what="the restart")
        asked.kill()


def test_it_can_be_switched_off(bus, tmp_path, sim):  # noqa: F811
    feeder, tail = start(bus, tmp_path, sim, restart_overlap_s=0)
    restart(bus)
    go_on(tail)
    assert "rear-guard" not in feeder.err() and bus.counter("relayed") == 0
    named_gaps(tail.lines())


def test_connections_of_before_at_another_endpoint_are_not_heard(bus, tmp_path, sim):  # noqa: F811
    feeder, tail = start(bus, tmp_path, sim)
    with Sim(rate=1000) as other:
        write(tmp_path / "feeder.ini", other)
        restart(bus)
        feeder.wait_err("is not heard: the configuration has changed")
        feeder.wait_err(ENDED)
        assert bus.counter("relayed") == 0
        go_on(tail)


@pytest.mark.parametrize("replacement", [None, "/bin/false"])
def test_a_program_that_cannot_be_executed_anew_leaves_nobody(bus, tmp_path, sim, replacement):  # noqa: F811
    own = tmp_path / "feeder"
    shutil.copy(px.program("feeder"), own)
    argv = bus.feeder_argv("binance:BTCUSDT", endpoint=sim.url)
    feeder = px.Process([own, *argv[1:]], tmp_path, "feeder")
    bus.processes.append(feeder)
    bus.wait_live()
    own.unlink()
    if replacement:
        shutil.copy(replacement, own)
    with ask_restart(bus) as asked:
        pid = int(feeder.wait_err(r"rear-guard (\d+) reads")[1])
        assert feeder.wait() == 1
        asked.kill()
    wait_for(lambda: gone(pid), 5, "its end")
    assert run("feeder", "-b", bus.name, "--remove").returncode == 0


# ---- what the venue sees ----

class Market(threading.Thread):
    """An exchange that is not ours: one row of trades for all of its connections, compressed."""

    def __init__(self):
        super().__init__(daemon=True)
        self.clients, self.closed = set(), []
        self.port = None
        self.start()

    def run(self):
        asyncio.run(self.trade())

    async def serve(self, ws, *_):
        try:
            async for message in ws:
                await ws.send(json.dumps({"result": None, "id": json.loads(message)["id"]}))
                self.clients.add(ws)
        except websockets.ConnectionClosedError:
            pass
        finally:
            self.clients.discard(ws)
            self.closed.append(ws.close_code)

    async def trade(self):
        server = await websockets.serve(self.serve, "127.0.0.1", 0, compression="deflate")
        self.port = server.sockets[0].getsockname()[1]
        for number in itertools.count(1):
            for ws in list(self.clients):
                try:
                    await ws.send(trade(number))
                except websockets.ConnectionClosed:
                    self.clients.discard(ws)
            await asyncio.sleep(0.001)


def test_an_old_connection_inflates_on_and_ends_with_a_close_frame(bus, tmp_path):  # noqa: F811
    market = Market()
    wait_for(lambda: market.port, what="the server")
    config = tmp_path / "feeder.ini"
    config.write_text("[binance]\nsymbols = BTCUSDT\nkinds = trade\ndeflate = yes\n"
                      f"endpoint = ws://127.0.0.1:{market.port}\n")
    tail = bus.tail_process(all=True, wait=True, kinds="trade")
    feeder = bus.feeder(config=config)
    tail.wait_lines(lambda ticks: len(ticks) > 100, what="trades")
    restart(bus)
    wait_for(lambda: market.closed, what="the end of the old connection")
    assert market.closed == [1000]
    feeder.wait_err(ENDED)
    go_on(tail, 100)
    assert not named_gaps(tail.lines()) and bus.counter("relayed") > 100
