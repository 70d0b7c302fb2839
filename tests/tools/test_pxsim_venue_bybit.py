"""pxsim as an independent client of Bybit v5 meets it, spot and linear."""
import json
import re
from decimal import Decimal

import pytest
import websockets

from pxsim_client import pxsim, quiet, run

SPOT, LINEAR = "/v5/public/spot", "/v5/public/linear"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
D, MS = r'"\d+(\.\d+)?"', r"\d{13}"


def linear(*args):
    return pxsim(*args, venue="bybit_linear")


def spot(*args):
    return pxsim(*args, venue="bybit")


def connect(sim, path=LINEAR):
    return websockets.connect(sim.url(path))


async def say(ws, op, args=None, req_id="7"):
    request = {"op": op} if req_id is None else {"req_id": req_id, "op": op}
    if args is not None:
        request["args"] = args
    await ws.send(json.dumps(request))
    while True:
        text = await ws.recv()
        if "success" in json.loads(text):
            return text


async def take(ws, count, wanted=lambda m: True):
    got = []
    while len(got) < count:
        text = await ws.recv()
        if wanted(json.loads(text)):
            got.append(text)
    return got


def about(answer):
    m = json.loads(answer)
    assert re.fullmatch(r"[0-9a-v]{12}-px", m.pop("conn_id"))
    return m


def test_answers_have_the_shape_of_each_market():
    async def client(sim, path, yes, no):
        async with connect(sim, path) as ws:
            answer = await say(ws, "subscribe", ["publicTrade.BTCUSDT"])
            assert re.fullmatch(rf'{{"success":true,"ret_msg":"{yes}","conn_id":"[0-9a-v-px]+",'
                                r'"req_id":"7","op":"subscribe"}', answer)
            answer = await say(ws, "unsubscribe", ["publicTrade.BTCUSDT"], "8")
            assert about(answer) == {"success": True, "ret_msg": no, "req_id": "8",
                                     "op": "unsubscribe"}
            assert about(await say(ws, "subscribe", ["tickers.BTCUSDT"], None))["req_id"] == ""
            assert about(await say(ws, "ping", None, 9))["req_id"] == "9"
            assert about(await say(ws, "ping", None, [9]))["req_id"] == ""
    with linear() as sim:
        run(client(sim, LINEAR, "", ""))
    with spot() as sim:
        run(client(sim, SPOT, "subscribe", "unsubscribe"))


def test_a_ping_is_answered_as_a_ping_and_the_server_pings_nobody():
    async def client(sim):
        async with connect(sim) as ws:
            assert about(await say(ws, "ping", None, "100001")) == {
                "success": True, "ret_msg": "pong", "req_id": "100001", "op": "ping"}
            await quiet(ws)
    with linear() as sim:
        run(client(sim))


def test_what_is_wrong_is_refused_in_the_venues_words_and_as_a_whole():
    async def client(sim):
        async with connect(sim) as ws:
            for topic in ["orderbook.50.NOPEUSDT", "orderbook.30.BTCUSDT", "orderbook.50.btcusdt",
                          "order"]:
                answer = await say(ws, "subscribe", ["publicTrade.ETHUSDT", topic])
                assert about(answer) == {
                    "success": False, "ret_msg": f"error:handler not found,topic:{topic}",
                    "req_id": "7", "op": "subscribe"}
            await quiet(ws)
            assert about(await say(ws, "nope"))["ret_msg"] == "error:invalid op"
            await ws.send("hello")
            assert json.loads(await ws.recv())["success"] is False
            assert json.loads(await say(ws, "subscribe", []))["success"] is False
    with linear() as sim:
        run(client(sim))


def test_a_topic_that_is_subscribed_already_spoils_the_request_it_is_in():
    async def client(sim):
        async with connect(sim) as ws:
            await say(ws, "subscribe", ["publicTrade.BTCUSDT"])
            answer = await say(ws, "subscribe", ["publicTrade.ETHUSDT", "publicTrade.BTCUSDT"])
            assert about(answer)["ret_msg"] == "error:already subscribed,topic:publicTrade.BTCUSDT"
            topics = {json.loads(t)["topic"] for t in await take(ws, 50)}
            assert topics == {"publicTrade.BTCUSDT"}
            answer = await say(ws, "subscribe", ["publicTrade.ETHUSDT", "publicTrade.ETHUSDT"])
            assert about(answer)["ret_msg"] == "error:already subscribed,topic:publicTrade.ETHUSDT"
            assert about(await say(ws, "subscribe", ["publicTrade.ETHUSDT"]))["success"]
    with linear("--rate", 1000) as sim:
        run(client(sim))


def test_spot_takes_ten_args_in_a_request_and_linear_more():
    args = [f"publicTrade.A{n:03}USDT" for n in range(11)]

    async def client(sim, path, ok):
        async with connect(sim, path) as ws:
            answer = about(await say(ws, "subscribe", args))
            assert answer["success"] is ok
            assert ok or answer["ret_msg"] == "args size >10"
            if not ok:
                assert about(await say(ws, "subscribe", args[:10]))["success"]
    with spot() as sim:
        run(client(sim, SPOT, False))
    with linear() as sim:
        run(client(sim, LINEAR, True))


def test_all_args_of_a_connection_have_at_most_21000_characters():
    async def client(sim):
        async with connect(sim) as ws:  # 25 characters each, quotes and comma counted
            for n in range(0, 840, 420):
                args = [f"publicTrade.A{k:05}USDT" for k in range(n, n + 420)]
                assert about(await say(ws, "subscribe", args))["success"]
            assert not about(await say(ws, "subscribe", ["publicTrade.B00000USDT"]))["success"]
            await say(ws, "unsubscribe", ["publicTrade.A00000USDT"])
            assert about(await say(ws, "subscribe", ["publicTrade.B00000USDT"]))["success"]
    with linear("--rate", 1) as sim:
        run(client(sim))


LINEAR_TRADE = (rf'{{"T":{MS},"s":"BTCUSDT","S":"(Buy|Sell)","v":{D},"p":{D},"L":"ZeroPlusTick",'
                rf'"i":"{UUID}","BT":false,"RPI":false,"seq":\d+}}')
SPOT_TRADE = (rf'{{"i":"\d{{19}}","T":{MS},"p":{D},"v":{D},"S":"(Buy|Sell)","seq":\d+,'
              r'"s":"BTCUSDT","BT":false,"RPI":false}')


def test_trades_have_the_shape_of_each_market_and_some_come_together():
    async def client(sim, path, shape):
        async with connect(sim, path) as ws:
            await say(ws, "subscribe", ["publicTrade.BTCUSDT"])
            ids, sizes = [], set()
            for text in await take(ws, 100):
                assert re.fullmatch(shape, text), text
                data = json.loads(text)["data"]
                ids += [t["i"] for t in data]
                sizes.add(len(data))
            assert sizes == {1, 2}
            assert len(set(ids)) == len(ids)
            return ids
    with linear("--rate", 1000) as sim:
        run(client(sim, LINEAR, rf'{{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":{MS},'
                                rf'"data":\[({LINEAR_TRADE},?)+\]}}'))

    async def rising(sim):
        ids = await client(sim, SPOT, rf'{{"topic":"publicTrade.BTCUSDT","ts":{MS},'
                                      rf'"type":"snapshot","data":\[({SPOT_TRADE},?)+\]}}')
        assert sorted(ids) == ids
    with spot("--rate", 1000) as sim:
        run(rising(sim))


def test_two_connections_are_told_the_same_trades():
    async def client(sim):
        async with connect(sim) as one, connect(sim) as two:
            for ws in (one, two):
                await say(ws, "subscribe", ["publicTrade.BTCUSDT"])
            ids = {t["i"] for m in await take(one, 40) for t in json.loads(m)["data"]}
            assert ids & {t["i"] for m in await take(two, 20) for t in json.loads(m)["data"]}
    with linear("--rate", 200) as sim:
        run(client(sim))


LEVELS = rf"\[(\[{D},{D}\],?)*\]"


def book_shape(market, depth, type_):
    head = (rf'"type":"{type_}","ts":{MS}' if market == LINEAR else rf'"ts":{MS},"type":"{type_}"')
    return (rf'{{"topic":"orderbook\.{depth}\.BTCUSDT",{head},"data":{{"s":"BTCUSDT","b":{LEVELS},'
            rf'"a":{LEVELS},"u":\d+,"seq":\d+}},"cts":{MS}}}')


def test_best_prices_come_whole_and_at_once():
    async def client(sim, path):
        async with connect(sim, path) as ws:
            await say(ws, "subscribe", ["orderbook.1.BTCUSDT"])
            last = 0
            for text in await take(ws, 50):
                assert re.fullmatch(book_shape(path, 1, "snapshot"), text), text
                data = json.loads(text)["data"]
                assert len(data["b"]) == len(data["a"]) == 1 and data["u"] > last
                assert Decimal(data["b"][0][0]) < Decimal(data["a"][0][0])
                last = data["u"]
    for market, path in (linear, LINEAR), (spot, SPOT):
        with market("--rate", 500) as sim:
            run(client(sim, path))


def test_best_prices_that_stand_still_are_told_again_with_the_same_number():
    async def client(sim):
        async with connect(sim) as ws:
            await say(ws, "subscribe", ["orderbook.1.BTCUSDT"])
            first, again = [json.loads(t)["data"] for t in await take(ws, 2)]
            assert first == again
    with linear("--rate", 0) as sim:
        run(client(sim))


def test_a_book_is_a_snapshot_and_changes_without_a_hole_that_fit_it():
    async def start(ws):
        await say(ws, "subscribe", ["orderbook.1.BTCUSDT", "orderbook.50.BTCUSDT"])
        return {"u": None, "b": {}, "a": {}}

    async def follow(ws, book, count, path):
        for _ in range(count):
            text = (await take(ws, 1, lambda m: m["topic"] == "orderbook.50.BTCUSDT"))[0]
            first = book["u"] is None
            assert re.fullmatch(book_shape(path, 50, "snapshot" if first else "delta"), text), text
            data = json.loads(text)["data"]
            assert first or data["u"] == book["u"] + 1
            book["u"] = data["u"]
            for side in "ba":
                for price, size in data[side]:
                    price = Decimal(price)
                    if Decimal(size) == 0:
                        assert book[side].pop(price)
                    else:
                        book[side][price] = size
            assert len(book["b"]) == len(book["a"]) == 20
            assert max(book["b"]) < min(book["a"])

    async def client(sim, path):
        async with connect(sim, path) as one, connect(sim, path) as two:
            a = await start(one)
            await follow(one, a, 10, path)
            b = await start(two)
            await follow(two, b, 5, path)
            while a["u"] < b["u"]:
                await follow(one, a, 1, path)
            while b["u"] < a["u"]:
                await follow(two, b, 1, path)
            assert a == b, "whoever joins later has the same book"
    for market, path in (linear, LINEAR), (spot, SPOT):
        with market("--rate", 500) as sim:
            run(client(sim, path))


def test_linear_tickers_are_a_snapshot_and_changes_of_some_fields():
    async def client(sim):
        async with connect(sim) as ws:
            await say(ws, "subscribe", ["tickers.BTCUSDT"])
            messages = [json.loads(t) for t in await take(ws, 5)]
            assert [m["type"] for m in messages] == ["snapshot"] + ["delta"] * 4
            whole = messages[0]["data"]
            assert {"lastPrice", "prevPrice24h", "highPrice24h", "lowPrice24h", "bid1Price",
                    "bid1Size", "ask1Price", "ask1Size"} <= set(whole)
            for m in messages[1:]:
                assert list(m) == ["topic", "type", "data", "cs", "ts"]
                assert set(m["data"]) < set(whole) and len(m["data"]) > 1
            assert not all("lastPrice" in m["data"] for m in messages[1:])
            assert not all("bid1Price" in m["data"] for m in messages[1:])
            for m in messages:
                whole |= m["data"]
                low, last, high = (Decimal(whole[key]) for key in
                                   ("lowPrice24h", "lastPrice", "highPrice24h"))
                assert low <= last <= high
                assert "lastPrice" not in m["data"] or "lowPrice24h" in m["data"]
    with linear("--rate", 100) as sim:
        run(client(sim))


def test_spot_tickers_are_snapshots_without_best_prices():
    async def client(sim):
        async with connect(sim, SPOT) as ws:
            await say(ws, "subscribe", ["tickers.BTCUSDT"])
            for text in await take(ws, 3):
                m = json.loads(text)
                assert list(m) == ["topic", "ts", "type", "cs", "data"]
                assert m["type"] == "snapshot" and not any("1" in key for key in m["data"])
                assert {"lastPrice", "prevPrice24h", "highPrice24h", "lowPrice24h"} <= set(m["data"])
    with spot("--rate", 100) as sim:
        run(client(sim))


def test_each_market_has_its_own_path():
    async def client(sim, path):
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            await connect(sim, path)
        assert refused.value.status_code == 404
    with linear() as sim:
        for path in SPOT, "/", LINEAR + "x":
            run(client(sim, path))
    with spot() as sim:
        run(client(sim, LINEAR))


def test_dated_futures_and_odd_names_exist_on_linear():
    async def client(sim):
        async with connect(sim) as ws:
            for symbol in "BTC-27DEC24", "BTCPERP", "1000PEPEUSDT", "1000000BABYDOGEUSDT":
                assert about(await say(ws, "subscribe", [f"orderbook.1.{symbol}"]))["success"]
    with linear() as sim:
        run(client(sim))
