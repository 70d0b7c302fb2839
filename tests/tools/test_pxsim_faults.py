"""Each fault of pxsim as bytes that a client sees."""
import asyncio
import json
import ssl
import time

import pytest
import websockets

from pxsim_client import (
    DEADLINE_S, TWO, ask, frames_file, pxsim, quiet, receive_until, run,
    still_open_and_silent, take, trusting, upgrade_request)

# faults

def test_fault_refuse_refuses_until_its_time_is_over():
    with pxsim("--fault", "refuse:1") as sim:
        with pytest.raises(ConnectionRefusedError):
            sim.socket()
        end = time.monotonic() + DEADLINE_S
        while True:
            try:
                sim.socket().close()
                break
            except ConnectionRefusedError:
                assert time.monotonic() < end
                time.sleep(0.02)


def test_fault_silent_accept_never_answers_plain_or_tls(tmp_path):
    for extra in [[], ["--tls-auto", tmp_path]]:
        with pxsim("--fault", "silent-accept", *extra) as sim:
            s = sim.socket()
            s.sendall(upgrade_request("/ws"))
            assert still_open_and_silent(s)
            s.close()


def test_fault_silent_upgrade_takes_the_request_and_never_answers(tmp_path):
    with pxsim("--fault", "silent-upgrade") as sim:
        s = sim.socket()
        s.sendall(upgrade_request("/ws"))
        assert still_open_and_silent(s)
        s.close()
    with pxsim("--fault", "silent-upgrade", "--tls-auto", tmp_path) as sim:
        s = trusting(tmp_path / "ca.pem").wrap_socket(sim.socket(), server_hostname="localhost")
        s.sendall(upgrade_request("/ws"))
        assert still_open_and_silent(s)
        s.close()


def test_faults_429_503_418_refuse_the_upgrade_with_retry_after():
    for status in ["429", "503", "418"]:
        with pxsim("--fault", f"{status}:17") as sim:
            s = sim.socket()
            s.sendall(upgrade_request("/ws"))
            data = b""
            while more := s.recv(65536):
                data += more
            assert data.startswith(f"HTTP/1.1 {status} ".encode())
            assert b"\r\nRetry-After: 17\r\n" in data and data.endswith(b"\r\n\r\n")
            assert sim.counts()["attempts"] == 1 and sim.counts()["connections"] == 0


def test_faults_befall_the_first_connections_only():
    async def client(sim):
        with pytest.raises(websockets.InvalidStatusCode):
            await websockets.connect(sim.url())
        async with websockets.connect(sim.url("/ws/" + TWO)) as ws:
            await take(ws, 3)
    with pxsim("--fault", "503", "--fault-connections", 1) as sim:
        run(client(sim))


def test_fault_mute_stops_data_and_goes_on_pinging():
    async def client(sim):
        async with websockets.connect(sim.url("/ws/" + TWO)) as ws:
            await take(ws, 7)
            await quiet(ws)
            await asyncio.wait_for(await ws.ping(), 5)
    with pxsim("--fault", "mute:7", "--ping-interval", 100, "--limits", "off") as sim:
        run(client(sim))
    with pxsim("--fault", "mute", "--ping-interval", 100) as sim:
        s, rest = sim.upgraded()
        frames, _, _ = receive_until(s, rest, lambda f, r: len(f) >= 3)
        assert all(op == 9 for _, op, _ in frames)
        s.close()


def test_fault_no_pong_leaves_pings_unanswered_and_sends_none():
    async def client(sim):
        async with websockets.connect(sim.url("/ws/" + TWO), ping_interval=None) as ws:
            pong = await ws.ping()
            await take(ws, 50)
            assert not pong.done()
    with pxsim("--fault", "no-pong", "--ping-interval", 50, "--pong-timeout", 100) as sim:
        run(client(sim))
        s, rest = sim.upgraded()
        frames, _, _ = receive_until(s, rest, lambda f, r: len(f) >= 50)
        assert all(op == 1 for _, op, _ in frames)
        s.close()


def test_fault_close_after_accept_ends_before_the_first_byte():
    with pxsim("--fault", "close-after-accept") as sim:
        assert sim.socket().recv(100) == b""


def test_fault_close_mid_frame_cuts_a_frame_and_the_connection():
    with pxsim("--fault", "close-mid-frame:5") as sim:
        s, rest = sim.upgraded()
        frames, rest, ended = receive_until(s, rest, lambda f, r: False)
        assert ended and len(frames) == 5 and len(rest) > 10


def test_fault_half_frame_cuts_a_frame_and_falls_silent():
    with pxsim("--fault", "half-frame:5", "--ping-interval", 100) as sim:
        s, rest = sim.upgraded()
        frames, rest, _ = receive_until(s, rest, lambda f, r: len(f) == 5 and len(r) > 10)
        assert [op for _, op, _ in frames] == [1] * 5
        assert still_open_and_silent(s)
        s.close()


def test_fault_slow_drip_gives_a_byte_at_a_time():
    with pxsim("--fault", "slow-drip:20") as sim:
        s, rest = sim.upgraded()
        start, chunks = time.monotonic(), []
        s.settimeout(DEADLINE_S)
        while len(chunks) < 20:
            chunks.append(s.recv(65536))
        assert all(len(c) == 1 for c in chunks) and time.monotonic() - start > 0.35
        assert (rest + b"".join(chunks))[0] == 0x81
        s.close()


def test_fault_giant_frame_is_one_valid_frame_of_that_size():
    async def client(sim, size):
        async with websockets.connect(sim.url("/ws/" + TWO), max_size=None) as ws:
            sizes = []
            while not sizes or max(sizes) < size:
                text = await ws.recv()
                sizes.append(len(text))
            assert max(sizes) == size and json.loads(text)["stream"] == "pxsim@giant"
            await take(ws, 5)
    with pxsim("--fault", "giant-frame") as sim:
        run(client(sim, 17 * 1024 * 1024))
    with pxsim("--fault", "giant-frame:100000") as sim:
        run(client(sim, 100000))


def test_fault_endless_fragments_never_ends_its_message():
    with pxsim("--fault", "endless-fragments:10000", "--ping-interval", 50) as sim:
        s, rest = sim.upgraded()
        frames, _, _ = receive_until(s, rest, lambda f, r: len(f) > 60)
        fragments = [(fin, op, len(p)) for fin, op, p in frames if op < 8]
        assert fragments[0] == (0, 1, 10000) and set(fragments[1:]) == {(0, 0, 10000)}
        s.close()


def test_fault_bad_utf8_is_a_text_frame_that_is_none():
    with pxsim("--fault", "bad-utf8:4") as sim:
        s, rest = sim.upgraded()
        frames, _, _ = receive_until(s, rest, lambda f, r: len(f) >= 6)
        with pytest.raises(UnicodeDecodeError):
            frames[4][2].decode()
        for i in [0, 1, 2, 3, 5]:
            json.loads(frames[i][2])
        s.close()


def test_fault_bad_json_breaks_every_nth_and_loses_none():
    with pxsim("--fault", "bad-json:4") as sim:
        s, rest = sim.upgraded("/ws/btcusdt@trade")
        frames, _, _ = receive_until(s, rest, lambda f, r: len(f) >= 25)
        good = []
        for _, _, payload in frames:
            try:
                good.append(json.loads(payload)["t"])
            except ValueError:
                pass
        assert len(good) == 20 and good == list(range(good[0], good[0] + 20))
        s.close()


def test_fault_bad_frame_uses_an_opcode_that_does_not_exist():
    with pxsim("--fault", "bad-frame:2") as sim:
        s, rest = sim.upgraded()
        frames, _, _ = receive_until(s, rest, lambda f, r: len(f) >= 3)
        assert [op for _, op, _ in frames[:3]] == [1, 1, 11]
        s.close()


def ids_under(fault, count):
    with pxsim("--fault", fault) as sim:
        s, rest = sim.upgraded("/ws/btcusdt@trade")
        frames, _, _ = receive_until(s, rest, lambda f, r: len(f) >= count)
        s.close()
        ids = [json.loads(p)["t"] for _, _, p in frames[:count]]
        return [i - ids[0] for i in ids]


def test_fault_duplicate_sends_every_nth_twice():
    assert ids_under("duplicate:3", 8) == [0, 1, 2, 2, 3, 4, 5, 5]


def test_fault_reorder_swaps_every_nth_with_the_next():
    assert ids_under("reorder:3", 8) == [0, 1, 3, 2, 4, 6, 5, 7]


def test_fault_sequence_gap_skips_ids_once():
    assert ids_under("sequence-gap:7", 14) == [*range(11), *range(18, 21)]


def test_fault_server_shutdown_tells_and_then_closes():
    async def client(sim, path):
        async with websockets.connect(sim.url(path)) as ws:
            start, told = time.monotonic(), None
            with pytest.raises(websockets.ConnectionClosed) as closed:
                while True:
                    m = json.loads(await ws.recv())
                    if "serverShutdown" in json.dumps(m):
                        told = time.monotonic(), m
            assert closed.value.rcvd.code == 1001
            assert 0.9 < time.monotonic() - told[0] < 1.6 and told[0] - start < 1.6
            return told[1]
    async def both(sim):
        raw, wrapped = await asyncio.gather(client(sim, "/ws"), client(sim, "/stream"))
        assert list(raw) == ["e", "E"] and list(wrapped) == ["stream", "data"]
    with pxsim("--fault", "server-shutdown:1") as sim:
        run(both(sim))


def test_faults_of_certificates_are_refused_by_a_client_that_verifies(tmp_path):
    async def client(sim, ca, reason):
        with pytest.raises(ssl.SSLCertVerificationError) as refusal:
            await websockets.connect(sim.url("/ws", "wss", "localhost"), ssl=trusting(ca))
        assert reason in str(refusal.value)
        async with websockets.connect(sim.url("/ws", "wss", "localhost"), ssl=trusting(ca)) as ws:
            await ask(ws, "LIST_SUBSCRIPTIONS")
    for fault, reason in [("expired-certificate", "expired"), ("wrong-host", "ostname mismatch")]:
        ca = tmp_path / f"{fault}.pem"
        with pxsim("--fault", fault, "--fault-connections", 1, "--tls-ca-out", ca) as sim:
            run(client(sim, ca, reason))


def test_faults_touch_a_replay_as_well(tmp_path):
    lines = frames_file(tmp_path / "r.jsonl", 40)
    with pxsim("--fault", "duplicate:4", "--replay", tmp_path / "r.jsonl", "--speed", "max") as sim:
        s, rest = sim.upgraded()
        frames, _, _ = receive_until(s, rest, lambda f, r: len(f) >= 50)
        expected = [x for i, line in enumerate(lines, 1) for x in [line] * (2 if i % 4 == 0 else 1)]
        assert [p.decode() for _, _, p in frames] == expected
        s.close()


def test_the_other_venue_of_the_dialect_is_served_too():
    async def client(sim):
        async with websockets.connect(sim.url("/ws/btcusdt@trade")) as ws:
            await take(ws, 2)
    with pxsim(venue="binance_us") as sim:
        run(client(sim))
