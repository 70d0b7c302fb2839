"""pxsim sends recorded sessions, plain and over TLS, as they were recorded."""
import asyncio
import os
import ssl
import time
from pathlib import Path

import pytest
import websockets

from pxsim_client import (
    ask, frames_file, pxsim, quiet, read_frames, run, take, trusting, upgrade_request,
    whole_replay)

# replay

def test_a_replay_gives_every_frame_once_in_order_byte_for_byte(tmp_path):
    async def client(sim, lines):
        async with websockets.connect(sim.url("/ws/any@trade")) as ws:
            await whole_replay(ws, lines)
        async with websockets.connect(sim.url("/stream")) as ws:
            await ask(ws, "SUBSCRIBE", ["other@trade"])
            await whole_replay(ws, lines)
            await asyncio.wait_for(await ws.ping(), 5)
    for name in ["plain.jsonl", "packed.jsonl.gz"]:
        lines = frames_file(tmp_path / name, 5000)
        with pxsim("--replay", tmp_path / name, "--speed", "max") as sim:
            run(client(sim, lines))


def test_a_replay_waits_for_200_ms_after_the_last_subscribe(tmp_path):
    lines = frames_file(tmp_path / "r.jsonl", 3)

    async def client(sim):
        """Seconds from the last subscribe to the first frame; None: the machine was too busy to ask
        again in time."""
        async with websockets.connect(sim.url()) as ws:
            await quiet(ws)
            start = None
            for i in range(4):
                before = time.monotonic()
                if start is not None and before - start > 0.19:
                    return None
                await ask(ws, "SUBSCRIBE", [f"s{i}usdt@trade"])
                start = before
                await asyncio.sleep(0.1)
            assert await ws.recv() == lines[0]
            return time.monotonic() - start

    with pxsim("--replay", tmp_path / "r.jsonl", "--speed", "max") as sim:
        waits = (run(client(sim)) for _ in range(20))
        assert next(w for w in waits if w is not None) > 0.19


def test_a_replay_keeps_recorded_times_and_multiplies_them(tmp_path):
    frames_file(tmp_path / "r.jsonl", 5)
    (tmp_path / "r.meta.tsv").write_text("#line\trecv_time_s\n" + "".join(
        f"{i + 1}\t{1633998514.4 + i * 0.4:.6f}\n" for i in range(5)))
    async def client(sim, expected):
        async with websockets.connect(sim.url("/ws/a@trade")) as ws:
            await ws.recv()
            start = time.monotonic()
            for _ in range(4):
                await ws.recv()
            assert time.monotonic() - start > expected - 0.15
    for speed, expected in [("1", 1.6), ("4", 0.4)]:
        with pxsim("--replay", tmp_path / "r.jsonl", "--speed", speed) as sim:
            run(client(sim, expected))


def test_a_replay_without_times_keeps_the_rate(tmp_path):
    frames_file(tmp_path / "r.jsonl", 101)
    async def client(sim):
        async with websockets.connect(sim.url("/ws/a@trade")) as ws:
            await ws.recv()
            start = time.monotonic()
            await take(ws, 100)
            assert 0.4 < time.monotonic() - start < 0.8
    with pxsim("--replay", tmp_path / "r.jsonl", "--rate", 200) as sim:
        run(client(sim))


def test_a_slow_client_loses_nothing_of_a_replay(tmp_path):
    lines = frames_file(tmp_path / "r.jsonl", 40000)
    with pxsim("--replay", tmp_path / "r.jsonl", "--speed", "max") as sim:
        s, rest = sim.upgraded("/ws/a@trade", rcvbuf=65536)
        sim.counts_when(lambda c: 0 < c["messages"] == sim.counts()["messages"])
        assert sim.counts()["messages"] < len(lines)  # the socket is full
        payloads = []
        while len(payloads) < len(lines):
            more = s.recv(1 << 20)
            assert more
            frames, rest = read_frames(rest + more)
            payloads += [p for _, _, p in frames]
        assert [p.decode() for p in payloads] == lines
        s.close()


def test_a_shared_replay_is_one_for_all_and_nobody_gets_the_past(tmp_path):
    lines = frames_file(tmp_path / "r.jsonl", 1500)

    async def until(ws, end):
        """Frames up to the one that stands last in the file, or `end` of them."""
        got = []
        while len(got) < end and lines[-1] not in got[-1:]:
            got.append(await ws.recv())
        return got

    async def client(sim):
        async with websockets.connect(sim.url("/ws/a@trade")) as first:
            head = await until(first, 100)
            async with websockets.connect(sim.url()) as second:
                await ask(second, "SUBSCRIBE", ["b@trade"])
                start = lines.index(await second.recv())
                assert start >= 100
                assert await until(second, 300) == lines[start + 1:start + 301]
            async with websockets.connect(sim.url("/ws/c@trade")) as third:
                rest = await until(third, len(lines))
                assert len(rest) < len(lines) - start - 300 and rest == lines[-len(rest):]
            assert head + await until(first, len(lines)) == lines
        async with websockets.connect(sim.url("/ws/d@trade")) as late:
            await quiet(late)
    with pxsim("--replay", tmp_path / "r.jsonl", "--replay-shared", "--rate", 1000) as sim:
        run(client(sim))


def test_recorded_frames_arrive_as_they_were_recorded():
    path = Path(os.environ.get("PX_CAPTURES", "")) / "binance.jsonl"
    if not path.is_file():
        pytest.skip("no captures")
    lines = path.read_text().splitlines()
    async def client(sim):
        async with websockets.connect(sim.url("/stream?streams=lrcbtc@bookTicker")) as ws:
            await whole_replay(ws, lines)
    with pxsim("--replay", path, "--speed", "max") as sim:
        run(client(sim))


# TLS

def test_tls_with_a_certificate_made_on_the_spot_is_verified(tmp_path):
    async def client(sim):
        for host in ["localhost", "127.0.0.1"]:
            url = sim.url("/ws/btcusdt@trade", "wss", host)
            async with websockets.connect(url, ssl=trusting(tmp_path / "d/ca.pem")) as ws:
                await take(ws, 20)
    with pxsim("--tls-auto", tmp_path / "d") as sim:
        run(client(sim))
    with pxsim("--tls-cert", tmp_path / "d/cert.pem", "--tls-key", tmp_path / "d/key.pem") as sim:
        run(client(sim))
    assert (tmp_path / "d/key.pem").stat().st_mode & 0o777 == 0o600


def test_a_replay_over_tls_is_byte_for_byte(tmp_path):
    lines = frames_file(tmp_path / "r.jsonl", 20000)
    async def client(sim):
        url = sim.url("/ws/a@trade", "wss", "localhost")
        async with websockets.connect(url, ssl=trusting(tmp_path / "ca.pem")) as ws:
            await whole_replay(ws, lines)
    with pxsim("--tls-auto", tmp_path, "--replay", tmp_path / "r.jsonl", "--speed", "max") as sim:
        run(client(sim))


def records_and_frames(sim, ca, count):
    """TLS records of application data that carry the first `count` frames."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting(ca).wrap_bio(incoming, outgoing, server_hostname="localhost")
    s, wire, plain = sim.socket(), b"", b""
    def pump():
        nonlocal wire
        s.sendall(outgoing.read())
        data = s.recv(1 << 20)
        wire += data
        incoming.write(data)
    def until(action):
        while True:
            try:
                return action()
            except ssl.SSLWantReadError:
                pump()
    until(tls.do_handshake)
    tls.write(upgrade_request("/ws/a@trade"))
    wire = b""
    while b"\r\n\r\n" not in plain:
        plain += until(lambda: tls.read(1 << 20))
    plain = plain.split(b"\r\n\r\n", 1)[1]
    while len(read_frames(plain)[0]) < count:
        plain += until(lambda: tls.read(1 << 20))
    s.close()
    records = 0
    while len(wire) >= 5:
        records += wire[0] == 23
        wire = wire[5 + int.from_bytes(wire[3:5], "big"):]
    return records


def test_frames_can_be_sent_one_per_tls_record_or_many(tmp_path):
    frames_file(tmp_path / "r.jsonl", 300)
    for coalesce, low, high in [(1, 300, 310), (262144, 2, 40)]:
        with pxsim("--tls-auto", tmp_path, "--replay", tmp_path / "r.jsonl", "--speed", "max",
                   "--coalesce", coalesce) as sim:
            assert low <= records_and_frames(sim, tmp_path / "ca.pem", 300) <= high
