"""What a venue may ask of pxsim's server, each with a venue of the test's own (pxsim_hooks.c)."""
import os
import time
from pathlib import Path

import pytest
import websockets

from pxsim_client import pxsim, quiet, receive_until, run

HOOKS = Path(os.environ.get("PX_BUILD", "build")) / "tests" / "pxsim_hooks"
OP_TEXT, OP_BINARY, OP_CLOSE, OP_PING = 1, 2, 8, 9


def said(text):
    """A client's message as bytes, short and masked with nothing."""
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text


def hooked(venue, *args):
    return pxsim(*args, venue=venue, program=HOOKS)


async def end_of(ws):
    with pytest.raises(websockets.ConnectionClosed) as closed:
        while True:
            await ws.recv()
    return closed.value.rcvd.code, closed.value.rcvd.reason


def test_a_venue_that_greets_does_so_before_anything_else():
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            await ws.send("anything")
            assert [await ws.recv(), await ws.recv()] == ["hello", "ok"]
    with hooked("greeting") as sim:
        run(client(sim))


def test_a_venue_that_greets_not_is_silent():
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            await quiet(ws, 1.2)
    with hooked("plain") as sim:
        run(client(sim))


def test_a_venue_has_its_turn_once_a_second_and_knows_how_long_it_said_nothing():
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            start, quiet_ms = time.monotonic(), []
            for n in range(1, 4):
                word, count, ms = (await ws.recv()).split()
                assert (word, count) == ("beat", str(n))
                quiet_ms.append(int(ms))
            assert 2.5 < time.monotonic() - start < 4
            assert all(900 < ms < 1200 for ms in quiet_ms)
    with hooked("beating") as sim:
        run(client(sim))


def quiet_under(*args):
    """For how long, in ms, nothing was said before each of two beats."""
    quiet_ms = []
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            await ws.send("+BTCUSDT")
            while len(quiet_ms) < 2:
                word, *rest = (await ws.recv()).split()
                if word == "beat":
                    quiet_ms.append(int(rest[1]))
    with hooked("beating", *args) as sim:
        run(client(sim))
    return quiet_ms


def test_market_data_and_replays_break_the_silence(tmp_path):
    (tmp_path / "r.jsonl").write_text('{"a":1}\n' * 100)
    assert max(quiet_under("--rate", 20)) < 600
    assert max(quiet_under("--rate", 20, "--replay", tmp_path / "r.jsonl")) < 600
    assert min(quiet_under("--rate", 0)) > 600


def test_a_venue_of_binary_messages_sends_no_text():
    with hooked("binary", "--rate", 1000) as sim:
        s, rest = sim.upgraded("/")
        s.sendall(said(b"+BTC-USDT"))
        frames, _, _ = receive_until(s, rest, lambda f, r: len(f) >= 20)
        assert {op for _, op, _ in frames} == {OP_BINARY}
        assert [p for _, _, p in frames[:2]] == [b"hello", b"ok"]
        s.close()


def test_a_replay_of_a_binary_venue_is_binary(tmp_path):
    (tmp_path / "r.jsonl").write_text('{"a":1}\n{"b":2}\n')
    for fault in [], ["--fault", "duplicate:1"]:
        with hooked("binary", "--replay", tmp_path / "r.jsonl", *fault) as sim:
            s, rest = sim.upgraded("/")
            s.sendall(said(b"+AB"))
            frames, _, _ = receive_until(s, rest, lambda f, r: len(f) >= 4)
            assert {op for _, op, _ in frames} == {OP_BINARY}
            assert frames[2][2] == b'{"a":1}'
            s.close()


def test_faults_of_a_binary_venue_are_binary():
    def begins(fault, skip):
        with hooked("binary", "--rate", 1000, "--fault", fault) as sim:
            s, rest = sim.upgraded("/")
            s.sendall(said(b"+BTC-USDT"))
            heads = [b"\x82\x05hello", b"\x82\x02ok"]
            behind = len(b"".join(heads)) + skip
            while len(rest) <= behind:
                more = s.recv(65536)
                assert more
                rest += more
            assert rest.startswith(b"".join(heads))
            s.close()
            return rest[behind]
    assert begins("half-frame:0", 0) == 0x82
    assert begins("endless-fragments:100", 0) == 0x02
    assert begins("endless-fragments:100", 102) == 0x00  # each further one continues


def test_a_giant_frame_of_a_binary_venue_is_binary():
    with hooked("binary", "--rate", 1000, "--fault", "giant-frame:1000") as sim:
        s, rest = sim.upgraded("/")
        s.sendall(said(b"+BTC-USDT"))
        frames, _, _ = receive_until(s, rest, lambda f, r: any(len(p) == 1000 for _, _, p in f))
        assert {op for _, op, _ in frames} == {OP_BINARY}
        s.close()


def test_a_message_longer_than_the_venue_takes_ends_with_1009():
    async def client(sim, text, end):
        async with websockets.connect(sim.url()) as ws:
            await ws.send("x" * 20)
            assert await ws.recv() == "ok"
            await ws.send(text)
            assert await end_of(ws) == end
    with hooked("short") as sim:
        run(client(sim, "x" * 21, (1009, "Message too big")))
        run(client(sim, ["x" * 15, "x" * 6], (1009, "Message too big")))
        assert sim.counts()["violations"] == 2


def test_without_limits_a_long_message_is_taken():
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            await ws.send("x" * 5000)
            assert await ws.recv() == "ok"
    with hooked("short", "--limits", "off") as sim:
        run(client(sim))


def test_a_connection_without_a_subscription_is_ended_in_time():
    async def client(sim, path, least, end):
        async with websockets.connect(sim.url(path)) as ws:
            await ws.send("no subscription")
            start = time.monotonic()
            assert await end_of(ws) == end
            assert least < time.monotonic() - start < least + 1
    with hooked("hasty") as sim:
        run(client(sim, "/", 0.9, (1008, "subscribe within 1 s")))
        assert sim.counts()["violations"] == 1
    with hooked("hasty_in_own_words") as sim:
        run(client(sim, "/", 0.2, (4100, "say what you want")))


def test_a_connection_with_a_subscription_is_kept():
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            await ws.send("+BTCUSDT")
            assert await ws.recv() == "ok"
            await quiet(ws, 1.2)
    with hooked("hasty", "--rate", 0) as sim:
        run(client(sim))


def test_without_limits_a_connection_may_subscribe_to_nothing_and_say_nothing():
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            await quiet(ws, 0.9)
    for venue in "hasty_in_own_words", "idle_in_own_words":
        with hooked(venue, "--limits", "off") as sim:
            run(client(sim))


def test_a_client_that_says_nothing_is_ended_and_one_that_says_anything_is_not():
    async def silent(sim, least, end):
        async with websockets.connect(sim.url()) as ws:
            await ws.send("+BTCUSDT")
            start = time.monotonic()
            assert await end_of(ws) == end
            assert least < time.monotonic() - start < least + 1
    async def speaking(sim):
        async with websockets.connect(sim.url(), ping_interval=0.2) as ws:
            await quiet(ws, 1.5)
    with hooked("idle") as sim:
        run(silent(sim, 0.9, (1008, "nothing said for 1 s")))
        run(speaking(sim))
    with hooked("idle_in_own_words") as sim:
        run(silent(sim, 0.2, (4004, "no data")))


def test_a_dialect_ends_a_connection_with_a_code_and_a_reason():
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            await ws.send("+BTC-USDT")
            await ws.send("close")
            assert await end_of(ws) == (4321, "as asked")
        sim.counts_when(lambda c: c["open"] == 0)
    with hooked("plain", "--rate", 1000) as sim:
        start = time.monotonic()
        for _ in range(10):
            run(client(sim))
        assert time.monotonic() - start < 5  # the closing handshake is one of two, not a timeout


def test_what_a_client_says_behind_the_reason_of_its_end_is_not_heard():
    with hooked("plain") as sim:
        s, rest = sim.upgraded("/")
        s.sendall(said(b"close") + said(b"more"))
        frames, _, _ = receive_until(s, rest, lambda f, r: any(op == OP_CLOSE for _, op, _ in f))
        assert [(op, p) for _, op, p in frames] == [
            (OP_TEXT, b"ok"), (OP_CLOSE, (4321).to_bytes(2, "big") + b"as asked")]
        s.close()


def test_a_venue_without_pings_sends_none():
    with hooked("beating") as sim:
        s, rest = sim.upgraded("/")
        frames, _, _ = receive_until(s, rest, lambda f, r: len(f) >= 2)
        assert {op for _, op, _ in frames} == {OP_TEXT}
        s.close()


def trades_under(fault, count):
    async def client(sim, got):
        async with websockets.connect(sim.url()) as ws:
            await ws.send("+BTC-USDT")
            assert await ws.recv() == "ok"
            while len(got) < count:
                got.append([int(n) for n in (await ws.recv()).split()[:2]])
    got = []
    with hooked("plain", "--fault", fault, "--rate", 500) as sim:
        run(client(sim, got))
    assert len({trade - told for told, trade in got}) == 1
    return [told for told, _ in got]


def test_faults_touch_whole_messages_whatever_the_venue_counts():
    assert trades_under("sequence-gap:7", 14) == [*range(10), *range(17, 21)]
    assert trades_under("duplicate:3", 8) == [0, 1, 2, 2, 3, 4, 5, 5]
    assert trades_under("reorder:3", 8) == [0, 1, 3, 2, 4, 6, 5, 7]


def test_a_planned_end_of_a_venue_without_notices_comes_unannounced():
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            start = time.monotonic()
            assert await end_of(ws) == (1001, "")
            assert 1.9 < time.monotonic() - start < 3
    with hooked("plain", "--fault", "server-shutdown:1") as sim:
        run(client(sim))


def test_listed_symbols_have_the_venues_spelling_and_others_do_not_exist():
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            for name in "+BTCUSDT", "+NEW-USDT":
                await ws.send(name)
                assert await ws.recv() == "ok"
            await quiet(ws)
            await ws.send("+BTC-USDT")
            assert await ws.recv() == "ok"
            assert (await ws.recv()).endswith(" BTC-USDT")
    with hooked("plain", "--symbols", 5) as sim:
        run(client(sim))
