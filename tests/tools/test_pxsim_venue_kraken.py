"""pxsim as an independent client of Kraken v2 meets it."""
import asyncio
import json
import os
import re
import subprocess
import time
import zlib
from decimal import Decimal

import pytest
import websockets

from pxsim_client import pxsim, run

PXDECODE = os.path.join(os.environ["PX_BUILD"], "bin", "pxdecode")
UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
FAST = ["--rate", 500]


def kraken(*args):
    return pxsim(*args, venue="kraken")


def loads(text):
    """Numbers as they are written."""
    return json.loads(text, parse_float=str, parse_int=str)


class Client:
    """Reads the greeting, asks, and sorts what comes into answers and data."""

    def __init__(self, sim):
        self.connection = websockets.connect(sim.url("/v2"))

    async def __aenter__(self):
        self.ws = await self.connection.__aenter__()
        self.greeting = loads(await self.ws.recv())
        return self

    async def __aexit__(self, *why):
        await self.connection.__aexit__(*why)

    async def say(self, method, params=None, **more):
        await self.ws.send(json.dumps({"method": method, **more,
                                       **({} if params is None else {"params": params})}))

    async def next(self, wanted=lambda m: True):
        while True:
            message = loads(await self.ws.recv())
            if wanted(message):
                return message

    async def answer(self):
        return await self.next(lambda m: "method" in m)

    async def ask(self, method, params=None, **more):
        await self.say(method, params, **more)
        return await self.answer()

    async def data(self, channel, type_="update"):
        return await self.next(lambda m: m.get("channel") == channel and m["type"] == type_)


def talk(conversation, *args):
    async def client(sim):
        async with Client(sim) as c:
            await conversation(c)
    with kraken(*args) as sim:
        run(client(sim))


def without_times(answer):
    assert UTC.fullmatch(answer.pop("time_in")) and UTC.fullmatch(answer.pop("time_out"))
    return answer


def test_greets_with_the_state_of_the_exchange_and_a_number_of_64_bits():
    async def conversation(c):
        assert c.greeting["channel"] == "status" and c.greeting["type"] == "update"
        status, = c.greeting["data"]
        assert 2**63 < int(status.pop("connection_id")) < 2**64
        assert status == {"version": "2.0.10", "system": "online", "api_version": "v2"}
    talk(conversation)


def test_each_symbol_is_accepted_by_itself_with_what_was_understood():
    async def conversation(c):
        await c.say("subscribe", {"channel": "book", "symbol": ["BTC/USD", "METAx/USD"], "depth": 25})
        for symbol in "BTC/USD", "METAx/USD":
            assert without_times(await c.answer()) == {
                "method": "subscribe", "success": True,
                "result": {"channel": "book", "depth": "25", "snapshot": True, "symbol": symbol}}
        assert without_times(await c.ask("subscribe", {
            "channel": "ticker", "symbol": ["BTC/USD"], "snapshot": False}, req_id=7)) == {
                "method": "subscribe", "req_id": "7", "success": True,
                "result": {"channel": "ticker", "event_trigger": "trades", "snapshot": False,
                           "symbol": "BTC/USD"}}
        answer = await c.ask("unsubscribe", {"channel": "book", "symbol": ["BTC/USD"], "depth": 25})
        assert without_times(answer) == {
            "method": "unsubscribe", "success": True,
            "result": {"channel": "book", "depth": "25", "symbol": "BTC/USD"}}
    talk(conversation, "--rate", 0)


def test_refusals_are_in_the_venues_words():
    async def conversation(c):
        async def refused(method, channel, symbol, **params):
            answer = without_times(await c.ask(method, {"channel": channel, "symbol": [symbol],
                                                        **params}, req_id=3))
            assert answer.pop("success") is False and answer.pop("req_id") == "3"
            assert answer.pop("method") == method
            return answer
        assert await refused("subscribe", "trade", "NOPE/USD") == {
            "error": "Currency pair not supported NOPE/USD", "symbol": "NOPE/USD"}
        assert (await refused("subscribe", "trade", "XBT/USD"))["symbol"] == "XBT/USD"
        assert await refused("subscribe", "book", "BTC/USD", depth=27) == {
            "error": "Subscription depth not supported"}
        assert (await c.ask("subscribe", {"channel": "book", "symbol": ["BTC/USD"]}))["success"]
        assert await refused("subscribe", "book", "BTC/USD", depth=100) == {
            "error": "Already subscribed", "symbol": "BTC/USD"}
        assert await refused("unsubscribe", "trade", "BTC/USD") == {
            "error": "Subscription Not Found", "symbol": "BTC/USD"}
        assert "ws-auth.kraken.com" in (await refused("subscribe", "executions", "x"))["error"]
        for text in "not JSON", "[]", '{"method":"sing"}', '{"method":"subscribe"}':
            await c.ws.send(text)
            assert (await c.answer())["success"] is False, text
    talk(conversation, "--rate", 0)


def test_a_ping_is_answered_with_its_number():
    async def conversation(c):
        assert without_times(await c.ask("ping", req_id=101)) == {"method": "pong", "req_id": "101"}
        assert without_times(await c.ask("ping")) == {"method": "pong"}
    talk(conversation)


def test_heartbeats_come_each_second_to_a_subscriber_who_hears_nothing_else():
    async def conversation(c):
        assert (await c.ask("subscribe", {"channel": "trade", "symbol": ["BTC/USD"],
                                          "snapshot": False}))["success"]
        start = time.monotonic()
        for _ in range(3):
            assert loads(await c.ws.recv()) == {"channel": "heartbeat"}
        assert 2 < time.monotonic() - start < 4.5
    talk(conversation, "--rate", 0)


def test_no_heartbeat_comes_without_a_subscription_or_between_data():
    async def conversation(c):
        with pytest.raises(asyncio.TimeoutError):
            print(await asyncio.wait_for(c.ws.recv(), 2.2))
        await c.say("subscribe", {"channel": "trade", "symbol": ["BTC/USD"]})
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            assert (await c.next()).get("channel") != "heartbeat"
    talk(conversation, *FAST)


def digits(number):
    return number.replace(".", "").lstrip("0")


class Book:
    """A local book that is cut to its depth and proved by the checksum after each message."""

    def __init__(self, depth):
        self.depth, self.sides, self.writings = depth, {"bids": {}, "asks": {}}, set()

    def take(self, element):
        for name, side in self.sides.items():
            for level in element[name]:
                price = Decimal(level["price"])
                self.writings |= {(len(p), len(q)) for p, q in [
                    (level["price"].partition(".")[2], level["qty"].partition(".")[2])]}
                if Decimal(level["qty"]) == 0:
                    assert side.pop(price, None), "a level that was known goes"
                else:
                    side[price] = (level["price"], level["qty"])
            for price in self.best(name)[self.depth:]:
                del side[price]
        text = "".join(digits(word) for name in ("asks", "bids") for price in self.best(name)[:10]
                       for word in self.sides[name][price])
        assert zlib.crc32(text.encode()) == int(element["checksum"])
        assert self.best("bids")[0] < self.best("asks")[0]

    def best(self, name):
        return sorted(self.sides[name], reverse=name == "bids")


def test_a_book_begins_with_a_snapshot_and_every_change_has_the_right_checksum():
    async def conversation(c, depth, levels):
        await c.say("subscribe", {"channel": "book", "symbol": ["BTC/USD"], "depth": depth})
        snapshot = await c.next(lambda m: m.get("channel") == "book")
        assert snapshot["type"] == "snapshot"
        book, tops = Book(depth), set()
        book.take(snapshot["data"][0])
        assert [len(book.sides[s]) for s in ("bids", "asks")] == [levels, levels]
        for _ in range(300):
            message = await c.data("book")
            element, = message["data"]
            assert element["symbol"] == "BTC/USD" and UTC.fullmatch(element["timestamp"])
            assert element["bids"] or element["asks"]
            book.take(element)
            tops.add(book.best("bids")[0])
        assert len(tops) > 10
        assert book.writings == {(2, 8)}, "the number of digits is fixed"
    talk(lambda c: conversation(c, 10, 10), *FAST)
    talk(lambda c: conversation(c, 100, 20), *FAST)


def test_a_book_that_is_asked_for_again_starts_anew_and_fits():
    async def conversation(c):
        params = {"channel": "book", "symbol": ["ETH/USD"]}
        for _ in range(5):
            await c.say("subscribe", params)
            book = Book(10)
            book.take((await c.data("book", "snapshot"))["data"][0])
            for _ in range(20):
                book.take((await c.data("book"))["data"][0])
            await c.say("unsubscribe", params)
            assert (await c.answer())["success"]
    talk(conversation, *FAST)


def test_a_message_that_is_left_out_is_seen_by_the_checksum():
    async def conversation(c):
        await c.say("subscribe", {"channel": "book", "symbol": ["BTC/USD"]})
        book = Book(10)
        book.take((await c.data("book", "snapshot"))["data"][0])
        with pytest.raises(AssertionError):
            for _ in range(400):
                book.take((await c.data("book"))["data"][0])
    talk(conversation, *FAST, "--fault", "sequence-gap")


def test_what_it_says_is_read_without_a_refusal_unless_messages_are_lost():
    def refusals(frames):
        done = subprocess.run([PXDECODE, "--venue", "kraken", "--book"], capture_output=True,
                              input="\n".join(frames), text=True, timeout=20)
        return done.stdout.count("\n"), done.stderr

    async def conversation(c, depth, frames):
        for channel in "book", "trade", "ticker":
            await c.say("subscribe", {"channel": channel, "symbol": ["BTC/USD", "NOPE/USD"],
                                      **({"depth": depth} if channel == "book" else {})})
        frames += [await c.ws.recv() for _ in range(600)]

    for depth in 10, 25, 1000:
        frames = []
        talk(lambda c: conversation(c, depth, frames), *FAST)
        tops, said = refusals(frames)
        assert tops > 50 and said == ""
        changes = [n for n, text in enumerate(frames)
                   if loads(text).get("channel") == "book" and loads(text)["type"] == "update"]
        tops, said = refusals(frames[:changes[20]] + frames[changes[60]:])
        assert "book of BTC/USD: the checksum of the book is" in said


def test_trades_count_one_by_one_and_old_ones_come_only_if_asked_for():
    async def conversation(c):
        await c.say("subscribe", {"channel": "trade", "symbol": ["BTC/USD"]})
        first = await c.next(lambda m: m.get("channel") == "trade")
        assert first["type"] == "snapshot" and len(first["data"]) == 50
        ids = [int(t["trade_id"]) for t in first["data"]]
        for _ in range(30):
            trade, = (await c.data("trade"))["data"]
            ids.append(int(trade["trade_id"]))
            assert set(trade) == {"symbol", "side", "price", "qty", "ord_type", "trade_id",
                                  "timestamp"}
            assert trade["side"] in ("buy", "sell") and re.fullmatch(r"\d+\.\d\d", trade["price"])
        assert ids == list(range(ids[0], ids[0] + 80))
        await c.say("subscribe", {"channel": "trade", "symbol": ["ETH/USD"], "snapshot": False})
        later = await c.next(lambda m: m.get("channel") == "trade"
                             and m["data"][0]["symbol"] == "ETH/USD")
        assert later["type"] == "update" and len(later["data"]) == 1
    talk(conversation, *FAST)


def test_a_ticker_is_triggered_by_a_best_price_or_by_a_trade():
    async def conversation(c):
        await c.say("subscribe", {"channel": "ticker", "symbol": ["BTC/USD"],
                                  "event_trigger": "bbo"})
        best = (await c.data("ticker", "snapshot"))["data"][0]
        for _ in range(20):
            ticker, = (await c.data("ticker"))["data"]
            assert (ticker["bid"], ticker["ask"]) != (best["bid"], best["ask"])
            best = ticker
        await c.say("subscribe", {"channel": "ticker", "symbol": ["ETH/USD"]})
        trades = int((await c.next(lambda m: m.get("channel") == "ticker"
                                   and m["data"][0]["symbol"] == "ETH/USD"))["data"][0]["trades"])
        for n in range(1, 10):
            ticker = await c.next(lambda m: m.get("channel") == "ticker"
                                  and m["data"][0]["symbol"] == "ETH/USD")
            assert int(ticker["data"][0]["trades"]) == trades + n
        assert set(best) == {"symbol", "bid", "bid_qty", "ask", "ask_qty", "last", "volume", "vwap",
                             "low", "high", "change", "change_pct", "trades", "timestamp"}
    talk(conversation, *FAST)


def test_a_planned_end_is_announced_as_maintenance():
    async def conversation(c):
        await c.say("subscribe", {"channel": "trade", "symbol": ["BTC/USD"]})
        status = await c.data("status")
        assert status["data"][0]["system"] == "maintenance"
        with pytest.raises(websockets.ConnectionClosed):
            while True:
                await c.next()
    talk(conversation, *FAST, "--fault", "server-shutdown:1")


def test_a_recorded_session_is_replayed_to_whatever_was_asked_for(tmp_path):
    lines = ['{"channel":"trade","type":"update","data":[{"symbol":"OLD/EUR","n":%d}]}' % n
             for n in range(20)]
    (tmp_path / "r.jsonl").write_text("\n".join(lines) + "\n")
    async def conversation(c):
        assert (await c.ask("subscribe", {"channel": "book", "symbol": ["GONE/EUR"]}))["success"]
        assert [await c.ws.recv() for _ in lines] == lines
        assert await c.next() == {"channel": "heartbeat"}
    talk(conversation, "--replay", tmp_path / "r.jsonl", "--speed", "max")
