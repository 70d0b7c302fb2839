"""pxsim as an independent client of Deribit meets it."""
import asyncio
import json
import time
from decimal import Decimal

import pytest
import websockets

from pxsim_client import pxsim, quiet, run

PATH = "/ws/api/v2"
BTC = "BTC-PERPETUAL"


def deribit(*args):
    return pxsim(*args, venue="deribit")


def connected(sim):
    return websockets.connect(sim.url(PATH), ping_interval=None)


def parsed(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


async def call(ws, method, ident=1, **params):
    await ws.send(json.dumps({"jsonrpc": "2.0", "id": ident, "method": "public/" + method,
                              "params": params}))
    return await answer(ws)


async def answer(ws):
    while True:
        m = parsed(await ws.recv())
        if "method" not in m:
            return m


async def subscribe(ws, *channels):
    return (await call(ws, "subscribe", channels=channels))["result"]


async def data(ws, channel, count):
    got = []
    while len(got) < count:
        m = parsed(await ws.recv())
        if m.get("method") == "subscription" and m["params"]["channel"] == channel:
            got.append(m["params"]["data"])
    return got


async def end_of(ws):
    with pytest.raises(websockets.ConnectionClosed) as closed:
        while True:
            await ws.recv()
    return closed.value.rcvd.code


def test_a_result_lists_what_was_accepted_and_leaves_out_the_rest_without_a_word():
    async def client(sim):
        async with connected(sim) as ws:
            good = [f"trades.{BTC}.100ms", f"quote.{BTC}", f"ticker.{BTC}.100ms", f"book.{BTC}.100ms"]
            bad = ["quote.NO-SUCH", f"trades.{BTC}", f"quote.{BTC}.100ms", "nothing", f"book.{BTC}.7ms"]
            m = await call(ws, "subscribe", ident=17, channels=good + bad)
            assert list(m) == ["jsonrpc", "id", "result", "usIn", "usOut", "usDiff", "testnet"]
            assert m["id"] == 17 and sorted(m["result"]) == sorted(good)
            assert await subscribe(ws, "quote.NO-SUCH") == []
            m = await call(ws, "unsubscribe", ident="x", channels=[good[1], "quote.NO-SUCH"])
            assert m["id"] == "x" and m["result"] == [good[1]]
    with deribit("--symbols", BTC) as sim:
        run(client(sim))


def test_errors_have_the_venues_codes():
    async def client(sim):
        async with connected(sim) as ws:
            m = await call(ws, "subscribe", channels=[f"quote.{BTC}", f"trades.{BTC}.raw"])
            assert m["error"] == {"message": "raw_subscriptions_not_available_for_unauthorized",
                                  "code": 13778}
            for text, code, ident in [("{", -32700, None), ("[]", -32600, None),
                                      ('{"id":5,"method":"public/none"}', -32601, 5),
                                      ('{"id":6,"method":"public/subscribe"}', -32602, 6),
                                      ('{"id":7,"method":"public/set_heartbeat","params":{"interval":9}}',
                                       -32602, 7)]:
                await ws.send(text)
                m = await answer(ws)
                assert m["error"]["code"] == code and m.get("id") == ident
            await quiet(ws)  # nothing was subscribed
    with deribit() as sim:
        run(client(sim))


def test_heartbeats_come_at_the_interval_and_an_unanswered_test_request_ends_the_connection():
    async def client(sim, answers):
        async with connected(sim) as ws:
            assert (await call(ws, "set_heartbeat", interval=10))["result"] == "ok"
            start = time.monotonic()
            for kind in "heartbeat", "test_request":
                m = json.loads(await ws.recv())
                assert m == {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": kind}}
            assert 9 < time.monotonic() - start < 12
            if not answers:
                assert await end_of(ws) == 1000
                assert time.monotonic() - start < 15
                return
            assert (await call(ws, "test"))["result"] == {"version": "1.2.26"}
            await quiet(ws, 4)
    async def both(sim):
        await asyncio.gather(client(sim, True), client(sim, False))
    with deribit() as sim:
        run(both(sim))


def test_without_set_heartbeat_nothing_is_asked():
    async def client(sim):
        async with connected(sim) as ws:
            await quiet(ws, 2)
    with deribit() as sim:
        run(client(sim))


def test_an_eleventh_subscribe_at_once_is_too_many_and_ends_the_session():
    async def client(sim):
        async with connected(sim) as ws:
            for n in range(10):
                assert "result" in await call(ws, "subscribe", ident=n, channels=[])
            for n in range(10, 14):  # some credits come back meanwhile
                m = await call(ws, "subscribe", ident=n, channels=[])
                if "error" in m:
                    break
            assert m["error"] == {"message": "too_many_requests", "code": 10028}
            await end_of(ws)
    with deribit() as sim:
        run(client(sim))


def test_a_33rd_connection_and_other_paths_are_refused():
    async def client(sim):
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            await websockets.connect(sim.url("/ws/api/v1"))
        assert refused.value.status_code == 404
        held = [await connected(sim) for _ in range(32)]
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            await connected(sim)
        assert refused.value.status_code == 429
        for ws in held:
            await ws.close()
    with deribit() as sim:
        run(client(sim))


def test_trades_have_consecutive_numbers_and_ids_of_the_currency():
    async def client(sim):
        async with connected(sim) as ws:
            channel = "trades.ETH_USDT.100ms"
            assert await subscribe(ws, channel) == [channel]
            got = [t for data_ in await data(ws, channel, 20) for t in data_]
            seqs = [t["trade_seq"] for t in got]
            assert seqs == list(range(int(seqs[0]), int(seqs[0]) + len(got)))
            for t in got:
                assert t["trade_id"].startswith("ETH-") and t["instrument_name"] == "ETH_USDT"
                assert t["price"] > 0 and t["amount"] > 0 and len(str(t["timestamp"])) == 13
            assert {t["direction"] for t in got} == {"buy", "sell"}
    with deribit("--rate", 200) as sim:
        run(client(sim))


def test_numbers_are_floats_in_their_shortest_spelling_and_inverse_amounts_are_dollars():
    async def client(sim):
        async with connected(sim) as ws:
            await subscribe(ws, f"trades.{BTC}.100ms")
            spelled = set()
            while not {"e", "."} <= spelled:
                text = await ws.recv()
                amount = text.split('"amount":')[1].rstrip("}]")
                spelled.add("e" if "e" in amount else ".")
                assert "." in amount and Decimal(amount) % 10 == 0
                mantissa = amount.split("e")[0]
                assert mantissa.endswith(".0") or not mantissa.endswith("0")
    with deribit("--rate", 1000) as sim:
        run(client(sim))


def test_quotes_and_tickers_come_at_once():
    async def client(sim):
        async with connected(sim) as ws:
            quote, ticker = f"quote.{BTC}", f"ticker.{BTC}.100ms"
            await subscribe(ws, quote, ticker)
            q, = await data(ws, quote, 1)
            t, = await data(ws, ticker, 1)
            assert list(q) == ["timestamp", "instrument_name", "best_bid_price", "best_bid_amount",
                               "best_ask_price", "best_ask_amount"]
            assert q["best_bid_price"] < q["best_ask_price"]
            assert t["stats"]["low"] <= t["last_price"] <= t["stats"]["high"]
            assert {key: t[key] for key in q} == q | {"timestamp": t["timestamp"]}
    with deribit("--rate", 0) as sim:
        run(client(sim))


def applied(book, entry):
    for side in "bids", "asks":
        for word, price, amount in entry[side]:
            if word == "delete":
                assert amount == 0
                del book[side][price]
            else:
                assert amount > 0 and (word == "change") == (price in book[side])
                book[side][price] = amount


def test_a_book_is_a_snapshot_and_changes_that_name_the_one_before():
    async def client(sim):
        channel = f"book.{BTC}.100ms"
        async with connected(sim) as ws, connected(sim) as late:
            for client_ in ws, late:
                await subscribe(client_, channel)
                book, last = {"bids": {}, "asks": {}}, None
                for n, entry in enumerate(await data(client_, channel, 6)):
                    assert entry["type"] == ("change" if n else "snapshot")
                    assert entry.get("prev_change_id") == last
                    last = entry["change_id"]
                    applied(book, entry)
                    assert max(book["bids"]) < min(book["asks"])
                    assert len(book["bids"]) == len(book["asks"]) == 20
    with deribit("--rate", 200) as sim:
        run(client(sim))
