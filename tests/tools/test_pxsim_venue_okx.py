"""pxsim as an independent client of OKX meets it."""
import asyncio
import json
from decimal import Decimal

import pytest
import websockets

from pxsim_client import pxsim, quiet, run

PATH = "/ws/v5/public"
GONE = ("Wrong URL or channel:{},instId:{} doesn't exist. Please use the correct URL, channel and "
        "parameters referring to API document.")


def okx(*args):
    return pxsim(*args, venue="okx")


def arg(channel, symbol="BTC-USDT"):
    return {"channel": channel, "instId": symbol}


def connected(sim):
    return websockets.connect(sim.url(PATH), ping_interval=None, max_queue=None)


async def ask(ws, *args, op="subscribe", **more):
    await ws.send(json.dumps({"op": op, "args": list(args), **more}))


async def answers(ws, count):
    got = []
    while len(got) < count:
        m = json.loads(await ws.recv())
        if "event" in m:
            got.append(m)
    return got


async def data(ws, channel, count):
    got = []
    while len(got) < count:
        m = json.loads(await ws.recv())
        if "data" in m and m["arg"]["channel"] == channel:
            got.append(m)
    return got


async def end_of(ws):
    with pytest.raises(websockets.ConnectionClosed) as closed:
        while True:
            await ws.recv()
    return closed.value.rcvd.code, closed.value.rcvd.reason


def test_every_arg_is_answered_by_itself_with_the_connections_id():
    async def client(sim):
        async with connected(sim) as ws:
            await ask(ws, arg("trades"), arg("tickerz"), arg("bbo-tbt", "ETH-USDT"), id="1512")
            first, second, third = await answers(ws, 3)
            conn = first["connId"]
            assert len(conn) == 8 and int(conn, 16) >= 0
            assert first == {"id": "1512", "event": "subscribe", "arg": arg("trades"), "connId": conn}
            assert second == {"id": "1512", "event": "error", "msg": GONE.format("tickerz", "BTC-USDT"),
                              "code": "60018", "connId": conn}
            assert third["arg"] == arg("bbo-tbt", "ETH-USDT")
            await ask(ws, arg("trades"), op="unsubscribe")
            assert await answers(ws, 1) == [
                {"event": "unsubscribe", "arg": arg("trades"), "connId": conn}]
    with okx("--rate", 50) as sim:
        run(client(sim))
        assert sim.counts()["subscribes"] == 2


def test_an_instrument_that_is_not_listed_does_not_exist():
    async def client(sim):
        async with connected(sim) as ws:
            await ask(ws, arg("trades", "NEW-USDT"))
            error, = await answers(ws, 1)
            assert error["msg"] == GONE.format("trades", "NEW-USDT")
    with okx("--symbols", "BTC-USDT") as sim:
        run(client(sim))


def test_errors_have_the_venues_codes():
    async def client(sim):
        async with connected(sim) as ws:
            for text, code, msg in [
                    ("{\"op\":", "60012", "Illegal request: {\"op\":"),
                    ("[]", "60012", "Illegal request: []"),
                    ("{\"op\":\"subscribed\"}", "60019", "Invalid op: subscribed"),
                    ("{\"op\":\"subscribe\"}", "60013", "Invalid args"),
                    ("{\"op\":\"subscribe\",\"args\":[{\"channel\":\"trades\"}]}", "60013",
                     "Invalid args")]:
                await ws.send(text)
                error = json.loads(await ws.recv())
                assert (error["event"], error["code"], error["msg"]) == ("error", code, msg)
    with okx() as sim:
        run(client(sim))


def test_a_text_ping_is_answered_by_a_text_pong():
    async def client(sim):
        async with connected(sim) as ws:
            await ws.send("ping")
            assert await ws.recv() == "pong"
    with okx() as sim:
        run(client(sim))


def test_other_paths_do_not_exist():
    async def client(sim):
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            await websockets.connect(sim.url("/ws/v5/nothing"))
        assert refused.value.status_code == 404
    with okx() as sim:
        run(client(sim))


def test_trades_have_the_venues_shape_and_rising_ids():
    async def client(sim):
        async with connected(sim) as ws:
            await ask(ws, arg("trades"))
            got = [m["data"][0] for m in await data(ws, "trades", 20)]
            for t in got:
                assert list(t) == ["instId", "tradeId", "px", "sz", "side", "ts", "count", "source", "seqId"]
                assert t["instId"] == "BTC-USDT" and t["side"] in ("buy", "sell")
                assert Decimal(t["px"]) > 0 and Decimal(t["sz"]) > 0 and len(t["ts"]) == 13
                assert not t["px"].endswith(".") and not ("." in t["px"] and t["px"].endswith("0"))
            ids = [int(t["tradeId"]) for t in got]
            assert ids == sorted(set(ids))
            assert {t["side"] for t in got} == {"buy", "sell"}
    with okx("--rate", 200) as sim:
        run(client(sim))


def test_best_prices_name_no_instrument_and_come_at_once_and_with_each_change():
    async def client(sim):
        async with connected(sim) as ws:
            await ask(ws, arg("bbo-tbt"))
            got = [m["data"][0] for m in await data(ws, "bbo-tbt", 20)]
            for q in got:
                assert list(q) == ["asks", "bids", "ts", "seqId"]
                (bid, _, zero, _), = q["bids"]
                (ask_, *_), = q["asks"]
                assert Decimal(bid) < Decimal(ask_) and zero == "0"
            seqs = [q["seqId"] for q in got]
            assert seqs == sorted(set(seqs))
    with okx("--rate", 200) as sim:
        run(client(sim))


def test_tickers_come_at_once():
    async def client(sim):
        async with connected(sim) as ws:
            await ask(ws, arg("tickers"))
            t = (await data(ws, "tickers", 1))[0]["data"][0]
            assert t["instType"] == "SPOT" and t["instId"] == "BTC-USDT"
            assert Decimal(t["low24h"]) <= Decimal(t["last"]) <= Decimal(t["high24h"])
            assert Decimal(t["bidPx"]) < Decimal(t["askPx"])
    with okx("--rate", 0) as sim:
        run(client(sim))


def applied(book, entry):
    for side in "bids", "asks":
        for price, size, _, orders in entry[side]:
            if Decimal(size) == 0:
                assert orders == "0"
                del book[side][Decimal(price)]
            else:
                book[side][Decimal(price)] = size
    return max(book["bids"]), min(book["asks"])


async def books_and_tops(ws, count):
    """Frames of the channel books, and the best prices by their number."""
    books, tops = [], {}
    while len(books) < count:
        m = json.loads(await ws.recv())
        if m.get("data") and m["arg"]["channel"] == "books":
            books.append(m)
        elif m.get("data") and m["arg"]["channel"] == "bbo-tbt":
            top, = m["data"]
            tops[top["seqId"]] = top["bids"][0][0], top["asks"][0][0]
    return books, tops


def test_a_book_is_a_snapshot_and_changes_that_follow_each_other_and_agree_with_the_best_prices():
    async def client(sim):
        async with connected(sim) as ws, connected(sim) as late:
            await ask(ws, arg("books"), arg("bbo-tbt"))
            first = await books_and_tops(ws, 10)
            await ask(late, arg("bbo-tbt"), arg("books"))
            for frames, tops in [first, await books_and_tops(late, 10)]:
                book, last, agreed = {"bids": {}, "asks": {}}, -1, 0
                for n, m in enumerate(frames):
                    entry, = m["data"]
                    assert m["action"] == ("update" if n else "snapshot")
                    assert entry["prevSeqId"] == last and entry["checksum"] == 0
                    last = entry["seqId"]
                    top = applied(book, entry)
                    assert top[0] < top[1] and len(book["bids"]) == len(book["asks"]) == 20
                    if last in tops:
                        assert top == tuple(Decimal(p) for p in tops[last])
                        agreed += 1
                assert agreed > 5
    with okx("--rate", 200) as sim:
        run(client(sim))


def test_a_small_book_is_whole_each_time():
    async def client(sim):
        async with connected(sim) as ws:
            await ask(ws, arg("books5"), arg("bbo-tbt"))
            for m in await data(ws, "books5", 5):
                entry, = m["data"]
                assert "action" not in m and entry["instId"] == "BTC-USDT"
                assert len(entry["bids"]) == len(entry["asks"]) == 5
    with okx("--rate", 200) as sim:
        run(client(sim))


def test_a_message_as_long_as_64_kib_ends_with_the_venues_words():
    async def client(sim):
        async with connected(sim) as ws:
            await ws.send("x" * 65000)
            assert json.loads(await ws.recv())["msg"].startswith("Illegal request: xxx")
            await ws.send("x" * 65536)
            assert await end_of(ws) == (1009, "Max frame length of 65536 has been exceeded")
    with okx() as sim:
        run(client(sim))


def test_the_481st_request_of_an_hour_is_one_too_many():
    async def client(sim):
        async with connected(sim) as ws:
            for _ in range(480):
                await ask(ws, arg("funding-rate"))
            assert {a["event"] for a in await answers(ws, 480)} == {"subscribe"}
            await ws.send("ping")
            assert await ws.recv() == "pong"
            await ask(ws, arg("funding-rate"))
            error, = await answers(ws, 1)
            assert error["code"] == "60014"
            await end_of(ws)
    with okx() as sim:
        run(client(sim))


def test_a_planned_end_is_announced():
    async def client(sim):
        async with connected(sim) as ws:
            notice = json.loads(await ws.recv())
            assert (notice["event"], notice["code"]) == ("notice", "64008")
            assert await end_of(ws) == (1001, "")
    with okx("--fault", "server-shutdown:1") as sim:
        run(client(sim))


def test_a_replay_is_acknowledged_first(tmp_path):
    lines = ['{"arg":{"channel":"trades","instId":"A-B"},"data":[]}', '{"x":1}']
    (tmp_path / "r.jsonl").write_text("\n".join(lines) + "\n")

    async def client(sim):
        async with connected(sim) as ws:
            await ask(ws, arg("trades", "A-B"), arg("books", "A-B"), arg("bbo-tbt", "A-B"))
            assert [a["event"] for a in await answers(ws, 3)] == ["subscribe"] * 3
            assert [await ws.recv() for _ in lines] == lines
            await quiet(ws)
    with okx("--replay", tmp_path / "r.jsonl") as sim:
        run(client(sim))
