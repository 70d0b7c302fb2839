"""Connections that are about to end are succeeded first; two connections at all times. Every trade is
published once, in order, and no symbol is stale for a moment."""
import asyncio
import gzip
import json
import signal
import time

import pytest
import websockets

from loop_thread import LoopThread

from px import CAPTURES, Sim, bus, wait_for  # noqa: F401
from test_feeder import trade

SYMBOLS = [f"S{i:03d}USDT" for i in range(20)]


def start(bus, tmp_path, sim, **keys):  # noqa: F811
    config = tmp_path / "feeder.ini"
    lines = "".join(f"{k} = {v}\n" for k, v in keys.items())
    config.write_text(f"[binance]\nsymbols = {' '.join(SYMBOLS)}\nkinds = trade quote\n{lines}")
    tail = bus.tail_process(all=True, wait=True, kinds="trade")
    feeder = bus.feeder(config=config, endpoint=sim.url, ring=1 << 20)
    tail.wait_lines(lambda ticks: len(ticks) > 500, what="trades")
    return feeder, tail


def check_row(ticks, least):
    """Each id of each symbol once and in order, and no word of a gap or of stale prices."""
    last, count = {}, 0
    for t in ticks:
        if t["kind"] == "status":
            assert t["event"] not in ("gap", "stale", "lost", "quiet"), t
            continue
        trade_id = int(t["trade_id"])
        assert last.get(t["symbol"], trade_id - 1) == trade_id - 1, t
        last[t["symbol"]] = trade_id
        count += 1
    assert len(last) == len(SYMBOLS) and count >= least


def connections(bus):  # noqa: F811
    return [c for c in bus.stat()[1]["connections"] if c["state"] == "live"]


def test_an_announced_end_loses_no_trade(bus, tmp_path):  # noqa: F811
    with Sim(rate=5000, fault="server-shutdown:6", fault_connections=1) as sim:
        feeder, tail = start(bus, tmp_path, sim)
        feeder.wait_err("another connection takes over")
        wait_for(lambda: len(connections(bus)) == 2, what="both")
        wait_for(lambda: len(connections(bus)) == 1 and len(bus.stat()[1]["connections"]) == 1,
                 what="the first one's end")
        seen = len(tail.lines())
        tail.wait_lines(lambda ticks: len(ticks) > seen + 2000, what="trades of the second")
        assert bus.counter("planned_ends") == 1 and bus.counter("gaps") == 0
        assert bus.counter("duplicates") > 100  # they did overlap
        check_row(tail.lines(), 5000)
        assert "closed by the venue" not in feeder.err()


def test_connections_that_come_of_age_are_replaced_without_loss(bus, tmp_path):  # noqa: F811
    with Sim(rate=3000) as sim:
        feeder, tail = start(bus, tmp_path, sim, life_s=3)
        wait_for(lambda: feeder.err().count("takes over") +
                 sum(int(n) for n in repeats(feeder.err())) >= 3, 40, "three replacements")
        wait_for(lambda: len(connections(bus)) == 1)
        assert bus.counter("gaps") == 0 and bus.counter("connects") >= 4
        check_row(tail.lines(), 10000)


def repeats(err):
    lines = err.splitlines()
    return [line.rsplit("repeated ", 1)[1].split()[0] for line, before in zip(lines[1:], lines)
            if "last message repeated" in line and "takes over" in before]


class LateVenue:
    """A venue whose newest connection is ahead of the one before it, by BEHIND trades at all times: what
    the old one has not brought when it is closed, the new one has brought already."""
    BEHIND = 4
    PAUSE_S = 0.01

    def __init__(self):
        self.newest = self.served = 0
        self._thread = LoopThread()
        self._begun = time.monotonic()
        self._server = self._thread.do(self._listen())
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _listen(self):
        return await websockets.serve(self._serve, "127.0.0.1", 0, compression=None)

    def last(self, number):
        ids = int((time.monotonic() - self._begun) / self.PAUSE_S)
        return ids - (self.BEHIND if number < self.newest else 0)

    async def _serve(self, ws, _path=None):
        self.newest += 1
        number = self.newest
        await ws.send(json.dumps({"result": None, "id": json.loads(await ws.recv())["id"]}))
        sent = self.last(number)
        self.served += 1
        while True:
            for sent in range(sent + 1, self.last(number) + 1):
                await ws.send(trade(sent))
            await asyncio.sleep(self.PAUSE_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._thread.stop()


def test_what_a_successor_brought_too_early_is_awaited_from_the_one_that_ends(bus, tmp_path):  # noqa: F811
    config = tmp_path / "feeder.ini"
    config.write_text("[binance]\nlife_s = 1\n")
    with LateVenue() as venue:
        bus.feeder(config=config, endpoint=venue.url)
        tail = bus.tail_process("binance:BTCUSDT", wait=True, kinds="trade")
        wait_for(lambda: venue.served >= 5, 40, "four successors")
        ids = [int(t["trade_id"]) for t in tail.lines() if t["kind"] == "trade"]
        assert ids == list(range(ids[0], ids[0] + len(ids))) and len(ids) > 100
        assert bus.counter("gaps") == 0


def test_two_connections_go_on_with_one_and_say_who_is_first(bus, tmp_path):  # noqa: F811
    with Sim(rate=2000, fault="half-frame:3000", fault_connections=1) as sim:
        _, tail = start(bus, tmp_path, sim, redundancy=2, silence_ms=1500)
        wait_for(lambda: len(connections(bus)) == 2, what="both")
        # the first one stops in the middle of a frame, is given up, and comes back
        wait_for(lambda: (bus.counter("reconnects") or 0) >= 1, what="the first one's return")
        wait_for(lambda: len(connections(bus)) == 2, what="both again")
        wait_for(lambda: sum(c["firsts"] for c in connections(bus)) > 500 and
                 sum(c["seconds"] for c in connections(bus)) > 500)
        assert all(c["behind_us"] is None or 0 <= c["behind_us"] < 1e6 for c in connections(bus))
        check_row(tail.lines(), 3000)
        assert bus.counter("gaps") == 0


def test_the_end_of_the_feeder_ends_both(bus, tmp_path):  # noqa: F811
    with Sim(rate=500) as sim:
        feeder, _ = start(bus, tmp_path, sim, redundancy=2)
        wait_for(lambda: len(connections(bus)) == 2, what="both")
        feeder.send(signal.SIGTERM)
        assert feeder.wait() == 0


SESSION = "binance_busy_btcusdt"
FASTER = 60  # 109 messages a second of 346 s become 6,500 of six
RATE = 5000


def recorded(kind):
    """What the decoder that is not ours found of one kind, in order."""
    path = CAPTURES / "expected" / f"{SESSION}.expected.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no recorded frames in {CAPTURES}")
    with gzip.open(path, "rt") as lines:
        return [e for e in map(json.loads, lines) if e["kind"] == kind]


def ticks_per_s(ticks):
    times = [t["recv_ts_ns"] for t in ticks]
    return len(times) / (max(times) - min(times)) * 1e9


def end_of(path):
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 65536))
        return file.read().decode()


@pytest.mark.parametrize("end", ("announced", "of age"))
def test_planned_ends_in_a_recorded_session_at_speed_lose_no_trade(bus, tmp_path, end):  # noqa: F811
    want = [e["trade_id"] for e in recorded("trade")]
    config = tmp_path / "feeder.ini"
    config.write_text("[binance]\nlife_s = 2\n" if end == "of age" else "")
    announced = {"fault": "server-shutdown:1"} if end == "announced" else {}
    with Sim(replay=CAPTURES / f"{SESSION}.jsonl.gz", speed=FASTER, replay_shared=True,
             **announced) as sim:
        bus.feeder(config=config, endpoint=sim.url, ring=1 << 17)
        tail = bus.tail_process("binance:BTCUSDT")
        wait_for(lambda: f'"{want[-1]}"' in end_of(tail.out_path), 60, "the last trade")
        ticks = [t for t in tail.lines() if t["kind"] in ("trade", "quote")]
        assert not [t for t in tail.lines() if t.get("event") in ("gap", "stale", "lost")]
        assert [t["trade_id"] for t in ticks if t["kind"] == "trade"] == want
        assert bus.counter("gaps") == 0 and bus.counter("connects") >= 3
        assert bus.counter("duplicates") > 0  # they did overlap
        rate = ticks_per_s(ticks)
        print(f"{bus.counter('connects')} connections, {rate:.0f} ticks/s")
        assert rate > RATE / 5
