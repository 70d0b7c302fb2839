"""pxsim as an independent client of Binance meets it: the program and the venue's protocol."""
import asyncio
import gzip
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import websockets

from pxsim_client import (
    DEADLINE_S, PXSIM, TWO, ask, pxsim, quiet, read_frames, receive_until, refused, reply, run, take)

SOURCE = Path(os.environ.get("PX_SOURCE", Path(__file__).resolve().parents[2]))
VENUES = SOURCE / "tools" / "pxsim" / "venues.def"

# the program

def test_prints_where_it_listens_once_it_does():
    with pxsim() as sim:
        assert re.fullmatch(r"pxsim: listening on 127\.0\.0\.1:\d+\n", sim.line)
        sim.socket().close()


def test_a_port_in_use_is_one_sentence_and_exit_1():
    with pxsim() as sim:
        code, line = refused("--venue", "binance", "--port", sim.port)
        assert code == 1 and line == f"pxsim: 127.0.0.1:{sim.port}: Address already in use"


def test_wrong_usage_is_one_sentence_and_exit_2():
    ok = ["--venue", "binance", "--port", "0"]
    for args, object_ in [(["--venue", "nasdaq", "--port", "0"], "nasdaq"),
                          ([*ok, "--fault", "gremlins"], "gremlins"),
                          ([*ok, "--fault", "mute:x"], "mute:x"),
                          ([*ok, "--frobnicate"], "--frobnicate"),
                          ([*ok, "-x"], "-x"),
                          ([*ok, "more"], "more"),
                          ([*ok, "--rate"], "--rate"),
                          ([*ok, "--rate", "fast"], "--rate"),
                          ([*ok, "--speed", "0"], "--speed"),
                          ([*ok, "--replay-shared"], "--replay-shared"),
                          ([*ok, "--replay", "x", "--replay-shared", "--speed", "max"],
                           "--replay-shared"),
                          (["--venue", "binance", "--port", "65536"], "--port"),
                          (["--port", "0"], "--venue"),
                          (["--venue", "binance"], "--port"),
                          ([*ok, "--tls-cert", "x"], "--tls-cert")]:
        code, line = refused(*args)
        assert code == 2 and line.startswith(f"pxsim: {object_}: "), line


def test_a_file_that_cannot_be_read_is_one_sentence_and_exit_1(tmp_path):
    ok = ["--venue", "binance", "--port", "0"]
    missing = tmp_path / "missing.jsonl"
    assert refused(*ok, "--replay", missing) == (
        1, f"pxsim: {missing}: No such file or directory")
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(os.urandom(4096))[:2000])
    assert refused(*ok, "--replay", cut) == (1, f"pxsim: {cut}: damaged data")
    assert refused(*ok, "--replay", tmp_path)[0] == 1
    (tmp_path / "bad.pem").write_text("no certificate\n")
    code, line = refused(*ok, "--tls-cert", tmp_path / "bad.pem", "--tls-key", missing)
    assert code == 1 and line.startswith(f"pxsim: {tmp_path}/bad.pem: ")
    assert refused(*ok, "--listen", "nowhere")[0] == 1


def test_help_and_version_exit_0():
    for flag, begin in [("--help", "Usage: pxsim "), ("--version", "pxsim ")]:
        done = subprocess.run([PXSIM, flag], capture_output=True, text=True, timeout=10)
        assert done.returncode == 0 and done.stdout.startswith(begin) and not done.stderr


def test_every_venue_is_named_by_help_and_can_be_served():
    names = re.findall(r"^PXSIM_VENUE\((\w+)\)", VENUES.read_text(), re.M)
    said = subprocess.run([PXSIM, "--help"], capture_output=True, text=True, timeout=10).stdout
    assert said.split("one of these:")[1].split("--port")[0].split() == names
    assert all(len(line) < 100 for line in said.splitlines())
    for name in names:
        with pxsim(venue=name) as sim:
            sim.socket().close()


def test_sigterm_closes_with_1001():
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            sim.process.send_signal(signal.SIGTERM)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await ws.recv()
            assert closed.value.rcvd.code == 1001
    with pxsim() as sim:
        run(client(sim))
        assert sim.process.wait(DEADLINE_S) == 0


# the venue's protocol

def test_data_flows_after_an_acknowledged_subscribe():
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            assert await ask(ws, "SUBSCRIBE", ["btcusdt@trade"]) == {"result": None, "id": 1}
            await take(ws, 5)
    with pxsim() as sim:
        run(client(sim))


D8 = r'"\d+\.\d{8}"'
TIME = r"\d{13}"
SHAPES = {
    "btcusdt@trade":
        rf'{{"e":"trade","E":{TIME},"s":"BTCUSDT","t":\d+,"p":{D8},"q":{D8},"T":{TIME},'
        r'"m":(true|false),"M":true}',
    "btcusdt@aggTrade":
        rf'{{"e":"aggTrade","E":{TIME},"s":"BTCUSDT","a":\d+,"p":{D8},"q":{D8},"f":\d+,"l":\d+,'
        rf'"T":{TIME},"m":(true|false),"M":true}}',
    "btcusdt@bookTicker":
        rf'{{"u":\d+,"s":"BTCUSDT","b":{D8},"B":{D8},"a":{D8},"A":{D8}}}',
    "btcusdt@miniTicker":
        rf'{{"e":"24hrMiniTicker","E":{TIME},"s":"BTCUSDT","c":{D8},"o":{D8},"h":{D8},"l":{D8},'
        rf'"v":{D8},"q":{D8}}}',
    "btcusdt@ticker":
        rf'{{"e":"24hrTicker","E":{TIME},"s":"BTCUSDT","p":"-?\d+\.\d{{8}}","P":"-?\d+\.\d{{3}}",'
        rf'"w":{D8},"x":{D8},"c":{D8},"Q":{D8},"b":{D8},"B":{D8},"a":{D8},"A":{D8},"o":{D8},'
        rf'"h":{D8},"l":{D8},"v":{D8},"q":{D8},"O":{TIME},"C":{TIME},"F":\d+,"L":\d+,"n":\d+}}',
    "btcusdt@avgPrice":
        rf'{{"e":"avgPrice","E":{TIME},"s":"BTCUSDT","i":"5m","w":{D8},"T":{TIME}}}',
    "btcusdt@depth@100ms":
        rf'{{"e":"depthUpdate","E":{TIME},"s":"BTCUSDT","U":\d+,"u":\d+,'
        rf'"b":\[(\[{D8},{D8}\],?)*\],"a":\[(\[{D8},{D8}\],?)*\]}}',
    "btcusdt@depth5@100ms":
        rf'{{"lastUpdateId":\d+,"bids":\[(\[{D8},{D8}\],?){{5}}\],'
        rf'"asks":\[(\[{D8},{D8}\],?){{5}}\]}}',
}


def test_every_stream_has_the_venues_shape_wrapped_and_raw():
    async def client(sim, stream, shape):
        async with websockets.connect(sim.url(f"/ws/{stream}")) as ws:
            assert re.fullmatch(shape, await ws.recv())
        async with websockets.connect(sim.url(f"/stream?streams={stream}")) as ws:
            text = await ws.recv()
            assert re.fullmatch(rf'{{"stream":"{stream}","data":{shape}}}', text), text
    async def all_of_them(sim):
        await asyncio.gather(*(client(sim, *item) for item in SHAPES.items()))
    with pxsim() as sim:
        run(all_of_them(sim))


def test_several_streams_in_a_url_encoded_or_not():
    async def client(sim, path):
        async with websockets.connect(sim.url(path)) as ws:
            listed = await ask(ws, "LIST_SUBSCRIPTIONS")
            assert listed == {"result": TWO.split("/"), "id": 1}
    with pxsim() as sim:
        for path in ["/ws/" + TWO, "/stream?streams=" + TWO,
                     "/stream?streams=btcusdt%40trade%2Fbtcusdt%40bookTicker"]:
            run(client(sim, path))


def test_ids_come_back_as_they_were():
    async def client(sim):
        async with websockets.connect(sim.url("/stream")) as ws:
            for ident in [1, -5, 9223372036854775807, "abc123", "x" * 36, None]:
                answer = await ask(ws, "LIST_SUBSCRIPTIONS", ident=ident)
                assert answer == {"result": [], "id": ident}
            for ident in [1.5, "x" * 37, True, 9223372036854775808]:
                answer = await ask(ws, "LIST_SUBSCRIPTIONS", ident=ident)
                assert answer["error"]["code"] == 2 and "request ID" in answer["error"]["msg"]
    with pxsim("--limits", "off") as sim:
        run(client(sim))


def test_errors_have_the_venues_words():
    variant = ("Invalid request: unknown variant `SUB`, expected one of `SUBSCRIBE`, "
               "`UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY` "
               "at line 1 column 15")
    cases = [
        ('{"method":"SUB","id":7}', 2, variant, 7),
        ('hello', 3, "Invalid JSON: expected value at line 1 column 1", None),
        ('{"method":"SUBSCRIBE', 3, "Invalid JSON: EOF while parsing a string at line 1 column 20",
         None),
        ('{"method":"SUBSCRIBE","params":[""],"id":2}', 2, "Invalid request: invalid stream", 2),
        ('{"method":"SET_PROPERTY","params":["colour",true],"id":3}', 0, "Unknown property", 3),
        ('{"method":"SET_PROPERTY","params":["combined",1],"id":4}', 1,
         "Invalid value type: expected Boolean", 4),
        ('{"method":"GET_PROPERTY","params":[1],"id":5}', 2,
         "Invalid request: property name must be a string", 5),
        ('{"method":"GET_PROPERTY","params":["combined",1],"id":5}', 2,
         "Invalid request: too many parameters", 5),
        ('{"id":1}', 2, "Invalid request: missing field `method` at line 1 column 8", 1),
    ]
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            for text, code, msg, ident in cases:
                await ws.send(text)
                expected = {"error": {"code": code, "msg": msg}}
                if ident is not None:
                    expected["id"] = ident
                assert await reply(ws) == expected
    with pxsim("--limits", "off") as sim:
        run(client(sim))


def test_unsubscribed_streams_fall_silent_and_are_seen_in_the_counts():
    async def client(sim):
        async with websockets.connect(sim.url("/stream")) as ws:
            await ask(ws, "SUBSCRIBE", TWO.split("/"))
            await take(ws, 4)
            assert sim.counts()["subscribed"] == TWO.split("/")
            await ask(ws, "UNSUBSCRIBE", ["btcusdt@trade"])
            for m in await take(ws, 20):
                assert m["stream"] == "btcusdt@bookTicker"
            await ask(ws, "UNSUBSCRIBE", ["btcusdt@bookTicker"])
            await quiet(ws)
            counts = sim.counts()
            assert counts["subscribed"] == [] and counts["open"] == 1
            assert counts["streams"] == {name: [1, 1] for name in TWO.split("/")}
        sim.counts_when(lambda c: c["open"] == 0)
    with pxsim() as sim:
        run(client(sim))


def test_unknown_symbols_and_retired_streams_are_accepted_and_silent():
    names = ["nope@trade", "BTCUSDT@trade", "btcusdt@nosuchstream", "!ticker@arr", "!bookTicker"]
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            assert await ask(ws, "SUBSCRIBE", names) == {"result": None, "id": 1}
            await quiet(ws, 1.2)
            assert (await ask(ws, "LIST_SUBSCRIPTIONS"))["result"] == names
        async with websockets.connect(sim.url("/ws/btcusdt@nosuchstream")) as ws:
            await quiet(ws)
    with pxsim("--symbols", "BTCUSDT,ETHUSDT") as sim:
        run(client(sim))


def test_wrapping_can_be_switched_and_acknowledgements_never_are():
    async def client(sim):
        async with websockets.connect(sim.url("/ws/btcusdt@trade")) as ws:
            assert (await ask(ws, "GET_PROPERTY", ["combined"]))["result"] is False
            assert (await take(ws, 1))[0]["e"] == "trade"
            assert await ask(ws, "SET_PROPERTY", ["combined", True]) == {"result": None, "id": 1}
            assert (await take(ws, 1))[0]["stream"] == "btcusdt@trade"
            assert await ask(ws, "GET_PROPERTY", ["combined"]) == {"result": True, "id": 1}
    with pxsim() as sim:
        run(client(sim))


def test_times_are_microseconds_when_asked_and_near_now():
    async def client(sim):
        for path, per_s in [("/ws/btcusdt@trade", 1e3),
                            ("/ws/btcusdt@trade?timeUnit=MICROSECOND", 1e6),
                            ("/stream?streams=btcusdt@trade&timeUnit=MICROSECOND", 1e6)]:
            async with websockets.connect(sim.url(path)) as ws:
                m = json.loads(await ws.recv())
                m = m.get("data", m)
                assert abs(m["E"] / per_s - time.time()) < 5 and m["T"] <= m["E"]
    with pxsim() as sim:
        run(client(sim))


def test_other_paths_are_not_found():
    async def client(sim, path):
        with pytest.raises(websockets.InvalidStatusCode) as status:
            await websockets.connect(sim.url(path))
        assert status.value.status_code == 404
    with pxsim() as sim:
        for path in ["/", "/stream/nonsense", "/wss"]:
            run(client(sim, path))


def test_the_all_market_array_names_more_than_a_thousand_symbols():
    async def client(sim):
        names, in_one = set(), 0
        async with websockets.connect(sim.url("/ws/!miniTicker@arr"), max_size=None) as ws:
            while len(names) < 1200:
                array = json.loads(await ws.recv())
                in_one = max(in_one, len(array))
                names |= {m["s"] for m in array}
                assert all(m["e"] == "24hrMiniTicker" for m in array)
        assert in_one > 300 and "币安人生USDT" in names and "BTCUSDT" in names
    with pxsim() as sim:
        run(client(sim))


def test_a_symbol_that_is_not_ascii_can_be_subscribed():
    async def client(sim):
        async with websockets.connect(sim.url("/stream")) as ws:
            await ask(ws, "SUBSCRIBE", ["币安人生usdt@trade"])
            m = (await take(ws, 1))[0]
            assert m["stream"] == "币安人生usdt@trade" and m["data"]["s"] == "币安人生USDT"
    with pxsim() as sim:
        run(client(sim))


def test_two_connections_see_the_same_consecutive_trades():
    async def one(sim):
        async with websockets.connect(sim.url("/ws/btcusdt@trade")) as ws:
            trades = await take(ws, 60)
        ids = [m["t"] for m in trades]
        assert ids == list(range(ids[0], ids[0] + 60))
        return {m["t"]: (m["p"], m["q"], m["m"]) for m in trades}
    async def client(sim):
        a, b = await asyncio.gather(one(sim), one(sim))
        common = a.keys() & b.keys()
        assert len(common) > 20 and all(a[t] == b[t] for t in common)
    with pxsim() as sim:
        run(client(sim))


def test_the_market_goes_on_while_nobody_looks():
    async def ids(sim, count):
        async with websockets.connect(sim.url("/ws/btcusdt@trade")) as ws:
            return [m["t"] for m in await take(ws, count)]
    async def client(sim):
        before = await ids(sim, 3)
        sim.counts_when(lambda c: c["open"] == 0)
        await asyncio.sleep(0.2)  # this is the absence itself, not a wait for something
        after = await ids(sim, 3)
        assert after[0] > before[-1] + 10
    with pxsim() as sim:
        run(client(sim))


def test_a_book_kept_from_the_differences_agrees_with_the_other_streams():
    async def client(sim):
        streams = ["ethusdt@depth20@100ms", "ethusdt@depth@100ms", "ethusdt@bookTicker"]
        book, last, compared, tops = None, None, 0, {}
        async with websockets.connect(sim.url("/stream?streams=" + "/".join(streams))) as ws:
            while compared < 8:
                m = json.loads(await ws.recv())
                d = m["data"]
                if m["stream"].endswith("bookTicker"):
                    tops[d["u"]] = (d["b"], d["B"], d["a"], d["A"])
                elif "lastUpdateId" in d:
                    shown = {"b": dict(d["bids"]), "a": dict(d["asks"])}
                    if book is None:
                        book, last = shown, d["lastUpdateId"]
                        pending = True
                    elif not pending and last == d["lastUpdateId"]:
                        assert book == shown
                        compared += 1
                elif book is not None:
                    if d["u"] <= last:
                        continue
                    assert d["U"] == last + 1 or (pending and d["U"] <= last + 1)
                    pending, last = False, d["u"]
                    for side in "ba":
                        for price, size in d[side]:
                            if size == "0.00000000":
                                del book[side][price]
                            else:
                                book[side][price] = size
                    if last in tops:
                        bid, ask_ = max(book["b"], key=float), min(book["a"], key=float)
                        assert tops[last] == (bid, book["b"][bid], ask_, book["a"][ask_])
                        compared += 1
    with pxsim("--rate", 200) as sim:
        run(client(sim))


def test_the_rate_is_kept_on_each_connection():
    async def one(sim, streams):
        async with websockets.connect(sim.url("/ws/" + streams)) as ws:
            start = time.monotonic()
            await take(ws, 2000)
            return 2000 / (time.monotonic() - start)
    async def client(sim):
        rates = await asyncio.gather(one(sim, TWO), one(sim, "ethusdt@trade"))
        assert all(850 < rate < 1150 for rate in rates), rates
    with pxsim("--rate", 1000) as sim:
        run(client(sim))


def test_the_same_seed_gives_the_same_market():
    async def first(sim):
        async with websockets.connect(sim.url("/ws/btcusdt@trade")) as ws:
            return [(m["t"], m["p"], m["q"], m["m"]) for m in await take(ws, 20)]
    async def main():
        seen = []
        for seed in [7, 7, 8]:
            with pxsim("--seed", seed) as sim:
                seen.append(await first(sim))
        assert seen[0] == seen[1] != seen[2]
    run(main())


# heartbeat and limits

def test_the_sixth_message_in_a_second_closes_with_1008():
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            for _ in range(5):
                await ws.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
            for _ in range(5):
                await ws.recv()
            await ws.pong(b"")  # an unsolicited pong counts as well
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await ws.recv()
            assert closed.value.rcvd.code == 1008
            assert closed.value.rcvd.reason == "Too many requests"
        assert sim.counts()["violations"] == 1
    with pxsim() as sim:
        run(client(sim))


def test_without_limits_a_client_may_send_what_it_likes():
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            for _ in range(50):
                await ask(ws, "LIST_SUBSCRIPTIONS")
    with pxsim("--limits", "off") as sim:
        run(client(sim))


def test_the_1025th_stream_is_refused():
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            for i in range(0, 1024, 128):
                names = [f"sym{n}usdt@trade" for n in range(i, i + 128)]
                assert (await ask(ws, "SUBSCRIBE", names))["result"] is None
            answer = await ask(ws, "SUBSCRIBE", ["btcusdt@trade"])
            assert answer == {"error": {"code": 4, "msg": "Too many subscriptions"}, "id": 1}
            assert len((await ask(ws, "LIST_SUBSCRIPTIONS"))["result"]) == 1024
    with pxsim("--limits", "off", "--rate", 0) as sim:
        run(client(sim))


def test_pings_come_on_time_and_silence_after_them_closes():
    with pxsim("--ping-interval", 100, "--pong-timeout", 300) as sim:
        s, rest = sim.upgraded("/ws")
        start = time.monotonic()
        frames, _, _ = receive_until(s, rest, lambda f, r: any(x[1] == 8 for x in f))
        assert 0.3 < time.monotonic() - start < 2
        pings = [payload for _, op, payload in frames if op == 9]
        assert len(pings) >= 3 and all(p.isdigit() for p in pings)
        assert frames[-1][2] == b"\x03\xf0Pong timeout"
        s.close()


def test_a_client_that_answers_pings_is_kept():
    async def client(sim):
        async with websockets.connect(sim.url(), ping_interval=None) as ws:
            await quiet(ws, 1.0)
            await ask(ws, "LIST_SUBSCRIPTIONS")
    with pxsim("--ping-interval", 100, "--pong-timeout", 250, "--limits", "off") as sim:
        run(client(sim))


def test_a_pong_with_another_payload_is_no_answer():
    with pxsim("--ping-interval", 100, "--pong-timeout", 300, "--limits", "off") as sim:
        s, rest = sim.upgraded("/ws")
        s.settimeout(DEADLINE_S)
        end = time.monotonic() + 5
        while not any(op == 8 for _, op, _ in read_frames(rest)[0]):
            assert time.monotonic() < end
            s.sendall(b"\x8a\x83\0\0\0\x00123")
            more = s.recv(65536)
            assert more
            rest += more
        assert read_frames(rest)[0][-1][2] == b"\x03\xf0Pong timeout"
        s.close()


def test_a_clients_ping_is_answered_with_its_payload():
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            await asyncio.wait_for(await ws.ping(b"hello"), 5)
    with pxsim() as sim:
        run(client(sim))


def test_a_connection_ends_at_its_age():
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await ws.recv()
            assert closed.value.rcvd.code == 1001
    with pxsim("--max-age", 1) as sim:
        run(client(sim))


def test_a_message_in_fragments_is_understood_and_an_unmasked_one_is_not():
    with pxsim() as sim:
        s, rest = sim.upgraded("/ws")
        text = b'{"method":"LIST_SUBSCRIPTIONS","id":1}'
        mask = lambda fin_op, part: bytes([fin_op, 0x80 | len(part), 0, 0, 0, 0]) + part
        s.sendall(mask(0x01, text[:10]) + mask(0x89, b"p") + mask(0x80, text[10:]))
        frames, rest, _ = receive_until(s, rest, lambda f, r: len(f) == 2)
        assert frames == [(1, 10, b"p"), (1, 1, b'{"result":[],"id":1}')]
        s.sendall(bytes([0x81, len(text)]) + text)
        frames, _, _ = receive_until(s, rest, lambda f, r: len(f) == 1)
        assert frames[0][1] == 8 and frames[0][2][:2] == b"\x03\xea"
        s.close()
