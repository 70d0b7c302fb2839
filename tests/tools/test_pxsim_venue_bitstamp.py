"""pxsim as an independent client of Bitstamp meets it."""
import json
import time
from decimal import Decimal

import pytest
import websockets

from pxsim_client import pxsim, quiet, run


def bitstamp(*args):
    return pxsim(*args, venue="bitstamp")


def connected(sim):
    return websockets.connect(sim.url("/"), ping_interval=None)


async def ask(ws, channel, event="bts:subscribe"):
    await ws.send(json.dumps({"event": event, "data": {"channel": channel}}))


async def take(ws, event, count=1):
    got = []
    while len(got) < count:
        m = json.loads(await ws.recv())
        if m["event"] == event:
            got.append(m)
    return got


async def end_of(ws):
    with pytest.raises(websockets.ConnectionClosed) as closed:
        while True:
            await ws.recv()
    return closed.value.rcvd.code, closed.value.rcvd.reason


def error(message):
    return {"event": "bts:error", "channel": "", "data": {"code": None, "message": message}}


def test_a_channel_is_acknowledged_again_and_again_and_until_it_is_left():
    async def client(sim):
        async with connected(sim) as ws:
            for _ in range(2):
                await ask(ws, "live_trades_btcusd")
                assert await take(ws, "bts:subscription_succeeded") == [
                    {"event": "bts:subscription_succeeded", "channel": "live_trades_btcusd", "data": {}}]
            await take(ws, "trade", 3)
            await ask(ws, "live_trades_btcusd", "bts:unsubscribe")
            assert await take(ws, "bts:unsubscription_succeeded") == [
                {"event": "bts:unsubscription_succeeded", "channel": "live_trades_btcusd", "data": {}}]
            await quiet(ws)
    with bitstamp("--rate", 100) as sim:
        run(client(sim))


def test_a_pair_that_nobody_knows_is_acknowledged_and_silent():
    async def client(sim):
        async with connected(sim) as ws:
            for channel in "live_trades_nosuchpair", "order_book_nosuch-perp":
                await ask(ws, channel)
                assert (await take(ws, "bts:subscription_succeeded"))[0]["channel"] == channel
            await quiet(ws)
    with bitstamp("--symbols", "btcusd", "--rate", 100) as sim:
        run(client(sim))


def test_errors_have_the_venues_words():
    async def client(sim):
        async with connected(sim) as ws:
            for channel in "live_trades_BTCUSD", "live_trades_btc/usd", "trades_btcusd", "":
                await ask(ws, channel)
                assert json.loads(await ws.recv()) == error("Invalid channel provided.")
            for text, message in [("{", "Incorrect JSON format."),
                                  ('{"event":"bts:ping"}', "Bad subscription string."),
                                  ('{"event":"bts:subscribe","data":{}}', "Bad subscription string.")]:
                await ws.send(text)
                assert json.loads(await ws.recv()) == error(message)
    with bitstamp() as sim:
        run(client(sim))


def test_a_heartbeat_is_answered():
    async def client(sim):
        async with connected(sim) as ws:
            await ws.send('{"event":"bts:heartbeat"}')
            assert json.loads(await ws.recv()) == {
                "event": "bts:heartbeat", "channel": "", "data": {"status": "success"}}
    with bitstamp() as sim:
        run(client(sim))


def test_trades_have_the_venues_shape_and_the_taker_has_the_newer_order():
    async def client(sim):
        async with connected(sim) as ws:
            await ask(ws, "live_trades_btcusd")
            got = await take(ws, "trade", 20)
            for m in got:
                assert list(m) == ["data", "channel", "event"] and m["channel"] == "live_trades_btcusd"
                t = m["data"]
                assert list(t) == ["id", "timestamp", "amount", "amount_str", "price", "price_str",
                                   "type", "microtimestamp", "buy_order_id", "sell_order_id"]
                assert Decimal(t["amount_str"]) == Decimal(str(t["amount"])) > 0
                assert Decimal(t["price_str"]) == Decimal(str(t["price"])) > 0
                assert len(t["amount_str"].split(".")[1]) == 8
                assert (t["buy_order_id"] > t["sell_order_id"]) == (t["type"] == 0)
                assert t["microtimestamp"].startswith(t["timestamp"]) and len(t["microtimestamp"]) == 16
            ids = [m["data"]["id"] for m in got]
            assert ids == sorted(set(ids)) and {m["data"]["type"] for m in got} == {0, 1}
    with bitstamp("--rate", 200) as sim:
        run(client(sim))


def best(levels, side):
    prices = [Decimal(p) for p, _ in levels]
    assert prices == sorted(prices, reverse=side == "bids")
    return prices[0]


def test_a_book_is_whole_each_time_and_comes_when_it_changes():
    async def client(sim):
        async with connected(sim) as ws:
            await ask(ws, "order_book_btcusd")
            books = [m["data"] for m in await take(ws, "data", 5)]
            for b in books:
                assert list(b) == ["timestamp", "microtimestamp", "bids", "asks"]
                assert best(b["bids"], "bids") < best(b["asks"], "asks")
                assert len(b["bids"]) == len(b["asks"]) == 20
            times = [int(b["microtimestamp"]) for b in books]
            assert times == sorted(set(times))
            assert all(a["bids"] != b["bids"] or a["asks"] != b["asks"] for a, b in zip(books, books[1:]))
    with bitstamp("--rate", 100) as sim:
        run(client(sim))


def test_changes_of_a_book_spell_zero_as_the_market_does():
    async def client(sim):
        async with connected(sim) as ws:
            await ask(ws, "diff_order_book_btcusd")
            sizes = set()
            while "0.00000000" not in sizes:
                change = (await take(ws, "data"))[0]["data"]
                sizes |= {size for side in ("bids", "asks") for _, size in change[side]}
    with bitstamp("--rate", 200) as sim:
        run(client(sim))


def test_a_quiet_book_says_nothing():
    async def client(sim):
        async with connected(sim) as ws:
            await ask(ws, "order_book_btcusd")
            await take(ws, "bts:subscription_succeeded")
            await quiet(ws, 1.2)
    with bitstamp("--rate", 0) as sim:
        run(client(sim))


def test_a_frame_of_512_bytes_ends_the_connection():
    async def client(sim):
        async with connected(sim) as ws:
            await ws.send("x" * 511)
            assert json.loads(await ws.recv()) == error("Incorrect JSON format.")
            await ws.send("x" * 512)
            assert await end_of(ws) == (1009, "read limited at 513 bytes")
    with bitstamp() as sim:
        run(client(sim))


def test_the_1025th_channel_ends_the_connection_without_a_word():
    async def client(sim):
        async with connected(sim) as ws:
            for n in range(1024):
                await ask(ws, f"live_orders_pair{n}")
            await take(ws, "bts:subscription_succeeded", 1024)
            await ask(ws, "live_orders_pair0")
            await take(ws, "bts:subscription_succeeded")
            await ask(ws, "live_orders_pair1024")
            assert (await end_of(ws))[1] == ""
    with bitstamp() as sim:
        run(client(sim))


def test_a_planned_end_is_announced():
    async def client(sim):
        async with connected(sim) as ws:
            start = time.monotonic()
            assert (await take(ws, "bts:request_reconnect"))[0]["channel"] == ""
            assert await end_of(ws) == (1001, "")
            assert time.monotonic() - start < 10
    with bitstamp("--fault", "server-shutdown:1") as sim:
        run(client(sim))
