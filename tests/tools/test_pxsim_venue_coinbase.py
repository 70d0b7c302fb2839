"""pxsim as an independent client of Coinbase Exchange and of Advanced Trade meets it."""
import asyncio
import contextlib
import json
import re
import time
from datetime import datetime
from decimal import Decimal

import pytest
import websockets

from pxsim_client import pxsim, quiet, run

UUID = r'"[0-9a-f]{8}-0000-4000-8000-[0-9a-f]{12}"'
TIME = r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"'
PRICE, SIZE = r'"\d+\.\d\d"', r'"\d+\.\d{8}"'
SHAPES = {
    "match":
        rf'{{"type":"(last_)?match","trade_id":\d+,"maker_order_id":{UUID},"taker_order_id":{UUID},'
        rf'"side":"(buy|sell)","size":{SIZE},"price":{PRICE},"product_id":"BTC-USD",'
        rf'"sequence":\d+,"time":{TIME}}}',
    "ticker":
        rf'{{"type":"ticker","sequence":\d+,"product_id":"BTC-USD","price":{PRICE},'
        rf'"open_24h":{PRICE},"volume_24h":{SIZE},"low_24h":{PRICE},"high_24h":{PRICE},'
        rf'"volume_30d":{SIZE},"best_bid":{PRICE},"best_bid_size":{SIZE},"best_ask":{PRICE},'
        rf'"best_ask_size":{SIZE},"side":"(buy|sell)","time":{TIME},"trade_id":\d+,'
        rf'"last_size":{SIZE}}}',
    "heartbeat":
        rf'{{"type":"heartbeat","sequence":\d+,"last_trade_id":\d+,"product_id":"BTC-USD",'
        rf'"time":{TIME}}}',
    "snapshot":
        rf'{{"type":"snapshot","product_id":"BTC-USD","asks":\[(\[{PRICE},{SIZE}\],?){{20}}\],'
        rf'"bids":\[(\[{PRICE},{SIZE}\],?){{20}}\]}}',
    "l2update":
        rf'{{"type":"l2update","product_id":"BTC-USD",'
        rf'"changes":\[(\["(buy|sell)",{PRICE},{SIZE}\],?)+\],"time":{TIME}}}',
}


class Client:
    def __init__(self, ws):
        self.ws = ws

    async def send(self, **message):
        await self.ws.send(json.dumps(message))

    async def next(self, wanted=lambda m: True):
        while True:
            m = json.loads(await self.ws.recv())
            if wanted(m):
                return m

    async def ask(self, kind, channels, products=None):
        more = {} if products is None else {"product_ids": products}
        await self.send(type=kind, channels=channels, **more)
        return await self.next(lambda m: m["type"] in ("subscriptions", "error"))

    async def ask_at(self, kind, channel, products=None):
        more = {} if products is None else {"product_ids": products}
        await self.send(type=kind, channel=channel, **more)
        return await self.next(
            lambda m: m.get("channel") == "subscriptions" or m.get("type") == "error")


def session(client, venue="coinbase", *args):
    """Run client(Client) against a pxsim of its own."""
    async def connected(sim):
        async with websockets.connect(sim.url("/"), max_size=None) as ws:
            await client(Client(ws))
    with pxsim(*args, venue=venue) as sim:
        run(connected(sim))


def refusal(reason):
    return {"type": "error", "message": "Failed to subscribe", "reason": reason}


def lists(reply):
    return {c["name"]: c["product_ids"] for c in reply["channels"]}


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Book:
    """A client's own book of one product. What a change says was not so before."""

    def __init__(self, bid, ask):
        self.sides = {bid: {}, ask: {}}

    @classmethod
    def of(cls, snapshot):
        book = cls("buy", "sell")
        for key, side in ("bids", "buy"), ("asks", "sell"):
            prices = [Decimal(price) for price, _ in snapshot[key]]
            assert prices == sorted(prices, reverse=side == "buy")
            for price, size in snapshot[key]:
                book.set(side, price, size)
        return book

    def set(self, side, price, size):
        levels, price = self.sides[side], Decimal(price)
        assert levels.get(price, "0.00000000") != size
        if Decimal(size) == 0:
            del levels[price]
        else:
            levels[price] = size

    def change(self, l2update):
        for change in l2update["changes"]:
            self.set(*change)
        return self.top()

    def top(self):
        bids, asks = self.sides.values()
        assert len(bids) == len(asks) == 20 and max(bids) < min(asks)
        return max(bids), min(asks)


# Exchange

def test_every_message_has_the_shape_of_the_venue():
    async def client(c):
        await c.ask("subscribe", ["matches", "ticker", "heartbeat", "level2_batch"], ["BTC-USD"])
        left = {"match": 20, "ticker": 20, "heartbeat": 2, "snapshot": 1, "l2update": 5}
        while any(n > 0 for n in left.values()):
            text = await c.ws.recv()
            kind = json.loads(text)["type"].replace("last_", "")
            assert re.fullmatch(SHAPES[kind], text), text
            left[kind] -= 1
    session(client)


def test_each_answer_states_all_that_is_subscribed():
    async def client(c):
        got = await c.ask("subscribe", ["matches", {"name": "ticker", "product_ids": ["ETH-BTC"]}],
                          ["BTC-USD", "ETH-USD"])
        assert got == {"type": "subscriptions", "channels": [
            {"name": "matches", "product_ids": ["BTC-USD", "ETH-USD"], "account_ids": None},
            {"name": "ticker", "product_ids": ["ETH-BTC"], "account_ids": None}]}
        got = await c.ask("subscribe", ["ticker", "matches"], ["BTC-USD"])
        assert lists(got) == {"matches": ["BTC-USD", "ETH-USD"], "ticker": ["ETH-BTC", "BTC-USD"]}
        got = await c.ask("unsubscribe", ["matches"], ["BTC-USD"])
        assert lists(got) == {"matches": ["ETH-USD"], "ticker": ["ETH-BTC", "BTC-USD"]}
        got = await c.ask("unsubscribe", ["ticker"])
        assert lists(got) == {"matches": ["ETH-USD"]}
        assert await c.ask("unsubscribe", ["matches"], ["ETH-USD", "ADA-EUR"]) == {
            "type": "subscriptions", "channels": []}
        await quiet(c.ws)
    session(client)


def test_trades_begin_with_an_old_one_and_go_on_without_a_hole():
    async def client(c):
        await c.ask("subscribe", ["matches"], ["BTC-USD"])
        first = json.loads(await c.ws.recv())
        assert first["type"] == "last_match"
        trades = [await c.next() for _ in range(50)]
        assert [t["trade_id"] for t in trades] == list(
            range(first["trade_id"] + 1, first["trade_id"] + 51))
        numbers = [t["sequence"] for t in [first, *trades]]
        assert numbers == sorted(set(numbers))
        assert seconds(first["time"]) < seconds(trades[0]["time"]) - 2
        assert abs(seconds(trades[-1]["time"]) - time.time()) < 5
    session(client)


def test_a_match_names_the_side_of_the_maker_and_a_ticker_that_of_the_taker():
    async def client(c):
        await c.ask("subscribe", ["matches", "ticker"], ["BTC-USD"])
        sides, both = {}, 0
        while both < 30:
            m = await c.next(lambda m: m["type"] in ("match", "ticker"))
            other = sides.pop(m["trade_id"], None)
            if other is None:
                sides[m["trade_id"]] = m
                continue
            assert other["type"] != m["type"] and other["side"] != m["side"]
            assert other["price"] == m["price"] and other["sequence"] == m["sequence"]
            maker = m if m["type"] == "match" else other
            t = m if m["type"] == "ticker" else other
            assert maker["price"] == t["best_bid" if maker["side"] == "buy" else "best_ask"]
            both += 1
    session(client)


def test_a_heartbeat_comes_each_second_and_knows_the_last_trade():
    async def client(c):
        await c.ask("subscribe", ["heartbeat", "matches"], ["BTC-USD", "ETH-USD"])
        last, beats = {}, []
        while len(beats) < 6:
            m = await c.next()
            if m["type"] == "heartbeat":
                assert m["last_trade_id"] == last[m["product_id"]]
                beats.append((m["product_id"], time.monotonic()))
            elif "trade_id" in m:
                last[m["product_id"]] = m["trade_id"]
        assert {p for p, _ in beats} == {"BTC-USD", "ETH-USD"}
        assert 1.5 < beats[-1][1] - beats[0][1] < 3
    session(client)


def test_a_snapshot_and_the_changes_after_it_make_one_book():
    async def client(c):
        await c.ask("subscribe", ["level2_batch", "ticker"], ["BTC-USD"])
        book, tops = None, set()
        while len(tops) < 2:  # the best prices move now and then
            m = await c.next(lambda m: m["type"] != "ticker")
            if m["type"] == "snapshot":
                assert book is None
                book = Book.of(m)
            else:
                tops.add(book.change(m))
    session(client)


async def follow(c, books, products, changes):
    """Read until each product has its snapshot and so many changes."""
    left = dict.fromkeys(products, changes)
    while any(n > 0 for n in left.values()):
        m = await c.next(lambda m: m["type"] in ("snapshot", "l2update"))
        if m["type"] == "snapshot":
            assert m["product_id"] not in books
            books[m["product_id"]] = Book.of(m)
        else:
            books[m["product_id"]].change(m)
            left[m["product_id"]] -= 1


def test_clients_in_mid_stream_get_snapshots_that_their_changes_fit():
    products = [f"AB{n}-USD" for n in range(200)]

    async def client(sim):
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(4):
                c = Client(await stack.enter_async_context(
                    websockets.connect(sim.url("/"), max_queue=None)))
                await c.ask("subscribe", ["level2_batch"], products)
                await follow(c, {}, products, 2)
    with pxsim(venue="coinbase") as sim:
        run(client(sim))


def test_what_is_refused_is_refused_whole_in_the_words_of_the_venue():
    async def client(c):
        login = ("level2, level3, and full channels now require authentication. "
                 "https://docs.cloud.coinbase.com/exchange/docs/websocket-auth")
        for channel in "level2", "level3", "full", "user":
            assert await c.ask("subscribe", ["matches", channel], ["BTC-USD"]) == refusal(login)
        assert await c.ask("subscribe", ["matches"], ["BTC-USD", "BTC-XYZ"]) == refusal(
            "BTC-XYZ is not a valid product")
        assert await c.ask("subscribe", [{"name": "ticker", "product_ids": []}],
                           ["BTC-USD"]) == refusal(" is not a valid product")
        assert await c.ask("subscribe", [], ["BTC-USD"]) == refusal("No channels provided")
        assert await c.ask("subscribe", ["trades"], ["BTC-USD"]) == refusal(
            "trades is not a valid channel")
        await c.ws.send("{")
        assert (await c.next())["type"] == "error"
        await c.send(type="ping")
        assert (await c.next())["type"] == "error"
        got = await c.ask("subscribe", ["heartbeat"], ["BTC-USD"])
        assert lists(got) == {"heartbeat": ["BTC-USD"]}
    session(client)


def test_only_the_listed_products_exist_where_they_are_listed():
    async def client(c):
        assert await c.ask("subscribe", ["matches"], ["BTC-USD"]) == refusal(
            "BTC-USD is not a valid product")
        assert lists(await c.ask("subscribe", ["matches"], ["ETH-EUR"])) == {"matches": ["ETH-EUR"]}
    session(client, "coinbase", "--symbols", "ETH-EUR")


@pytest.mark.parametrize("venue", ["coinbase", "coinbase_at"])
def test_a_client_that_subscribes_to_nothing_for_five_seconds_is_hung_up_on(venue):
    async def client(c):
        start = time.monotonic()
        await c.send(type="nonsense")
        with pytest.raises(websockets.ConnectionClosed):
            while True:
                await c.ws.recv()
        assert 4.5 < time.monotonic() - start < 7
    session(client, venue)


def test_bursts_of_twenty_messages_pass_and_more_are_refused_for_a_while():
    async def client(c):
        for _ in range(25):
            await c.send(type="unsubscribe", channels=["ticker"])
        got = [await c.next() for _ in range(25)]
        assert [m["type"] for m in got] == ["subscriptions"] * 20 + ["error"] * 5
        assert got[-1]["message"] == "Rate limit exceeded"
        start = time.monotonic()
        while (await c.ask("subscribe", ["heartbeat"], ["BTC-USD"]))["type"] == "error":
            assert time.monotonic() < start + 5
            await asyncio.sleep(0.05)
    session(client)


# Advanced Trade

def at_events(m, channel):
    assert m["channel"] == channel and m["client_id"] == "" and len(m["events"]) == 1
    return m["events"][0]


def test_advanced_answers_state_all_that_is_subscribed():
    async def client(c):
        got = await c.ask_at("subscribe", "heartbeats")
        assert at_events(got, "subscriptions") == {"subscriptions": {"heartbeats": ["heartbeats"]}}
        got = await c.ask_at("subscribe", "ticker", ["BTC-USD", "ETH-USD"])
        assert at_events(got, "subscriptions")["subscriptions"] == {
            "heartbeats": ["heartbeats"], "ticker": ["BTC-USD", "ETH-USD"]}
        got = await c.ask_at("unsubscribe", "ticker", ["BTC-USD"])
        assert at_events(got, "subscriptions")["subscriptions"] == {
            "heartbeats": ["heartbeats"], "ticker": ["ETH-USD"]}
        await c.ask_at("unsubscribe", "heartbeats")
        got = await c.ask_at("unsubscribe", "ticker", ["ETH-USD"])
        assert at_events(got, "subscriptions") == {"subscriptions": {}}
        await quiet(c.ws, 1.2)
    session(client, "coinbase_at")


def test_advanced_messages_are_numbered_over_all_channels_of_a_connection():
    async def client(c):
        await c.send(type="subscribe", channel="heartbeats")
        for channel in "level2", "market_trades", "ticker":
            await c.send(type="subscribe", channel=channel, product_ids=["BTC-USD", "ETH-USD"])
        await c.send(type="subscribe", channel="level2", product_ids=["BTC-XYZ"])
        seen = set()
        numbers = []
        while len(numbers) < 300 or len(seen) < 5:
            m = await c.next()
            if m.get("type") == "error":
                continue
            numbers.append(m["sequence_num"])
            seen.add(m["channel"])
        assert numbers == list(range(len(numbers)))
        assert seen == {"subscriptions", "heartbeats", "l2_data", "market_trades", "ticker"}
    session(client, "coinbase_at")


def test_advanced_numbers_have_a_hole_where_messages_are_left_out():
    async def client(c):
        await c.send(type="subscribe", channel="market_trades", product_ids=["BTC-USD"])
        last = (await c.next())["sequence_num"]
        while (now := (await c.next())["sequence_num"]) == last + 1:
            last = now
        assert now == last + 4
    session(client, "coinbase_at", "--fault", "sequence-gap:3", "--rate", 500)


def test_advanced_trades_and_tickers_begin_with_a_snapshot():
    async def client(c):
        await c.ask_at("subscribe", "market_trades", ["BTC-USD"])
        first = at_events(await c.next(), "market_trades")
        assert first["type"] == "snapshot"
        last = int(first["trades"][-1]["trade_id"])
        for n in range(1, 30):
            event = at_events(await c.next(), "market_trades")
            assert event["type"] == "update"
            (trade,) = event["trades"]
            assert set(trade) == {"product_id", "trade_id", "price", "size", "time", "side"}
            assert trade["trade_id"] == str(last + n) and trade["side"] in ("BUY", "SELL")
        await c.ask_at("unsubscribe", "market_trades", ["BTC-USD"])
        await c.ask_at("subscribe", "ticker", ["BTC-USD"])
        first = at_events(await c.next(), "ticker")
        assert first["type"] == "snapshot"
        event = at_events(await c.next(), "ticker")
        assert event["type"] == "update"
        (ticker,) = event["tickers"]
        assert ticker["type"] == "ticker" and ticker["product_id"] == "BTC-USD"
        assert Decimal(ticker["best_bid"]) < Decimal(ticker["best_ask"])
        assert Decimal(ticker["low_24_h"]) <= Decimal(ticker["price"]) <= Decimal(ticker["high_24_h"])
        assert {"best_bid_quantity", "best_ask_quantity"} < set(ticker)
    session(client, "coinbase_at")


def test_advanced_snapshot_and_the_changes_after_it_make_one_book():
    async def client(c):
        await c.ask_at("subscribe", "level2", ["BTC-USD"])
        book = Book("bid", "offer")
        for n in range(10):
            event = at_events(await c.next(), "l2_data")
            assert event["type"] == ("snapshot" if n == 0 else "update")
            assert event["product_id"] == "BTC-USD"
            for u in event["updates"]:
                assert set(u) == {"side", "event_time", "price_level", "new_quantity"}
                book.set(u["side"], u["price_level"], u["new_quantity"])
            book.top()
    session(client, "coinbase_at")


def test_advanced_heartbeats_count_seconds():
    async def client(c):
        await c.ask_at("subscribe", "heartbeats")
        beats = [at_events(await c.next(), "heartbeats")["heartbeat_counter"] for _ in range(3)]
        assert beats == list(range(beats[0], beats[0] + 3))
    session(client, "coinbase_at")


def test_advanced_products_quoted_in_usdc_come_under_the_name_of_those_in_usd():
    async def client(c):
        got = await c.ask_at("subscribe", "market_trades", ["BTC-USDC", "EURC-USDC"])
        assert at_events(got, "subscriptions")["subscriptions"] == {
            "market_trades": ["BTC-USD", "EURC-USDC"]}
        seen = {at_events(await c.next(), "market_trades")["trades"][0]["product_id"]
                for _ in range(50)}
        assert seen == {"BTC-USD", "EURC-USDC"}
    session(client, "coinbase_at")


def test_advanced_refusals_change_nothing():
    async def client(c):
        for channel, products, words in [
                ("level2", ["BTC-USD", "BTC-XYZ"], "failure to subscribe"),
                ("trades", ["BTC-USD"], "failure to subscribe"),
                ("ticker", [], "failure to subscribe"),
                ("user", ["BTC-USD"], "authentication failure"),
                ("level2", [f"AB{n}-USD" for n in range(21)],
                 "too many L2 streams requested in a single session")]:
            assert await c.ask_at("subscribe", channel, products) == {
                "type": "error", "message": words}
        got = await c.ask_at("subscribe", "level2", [f"AB{n}-USD" for n in range(20)])
        assert len(at_events(got, "subscriptions")["subscriptions"]["level2"]) == 20
        assert await c.ask_at("subscribe", "level2", ["BTC-USD"]) == {
            "type": "error", "message": "too many L2 streams requested in a single session"}
        got = await c.ask_at("subscribe", "ticker", ["BTC-USD"])
        assert set(at_events(got, "subscriptions")["subscriptions"]) == {"level2", "ticker"}
    session(client, "coinbase_at")
