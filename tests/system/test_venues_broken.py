"""What a refused message costs where values build on those before: nothing wrong, and not for long."""
import asyncio
import json
import math
import threading
import time
from decimal import Decimal

import websockets

from px import bus, wait_for  # noqa: F401
from test_venues import start


class Observer(threading.Thread):
    """A second connection to the same market: all quotes and prices of trades that one symbol had
    since it began, as a client of Bybit makes them of the frames that are whole."""

    def __init__(self, url, symbol):
        super().__init__(daemon=True)
        self.url, self.symbol = url, symbol
        self.quotes, self.prices, self.first_ns, self.ended = set(), set(), None, False
        self.quote = [None] * 4

    def run(self):
        asyncio.run(self.observe())

    async def observe(self):
        async with websockets.connect(f"{self.url}/v5/public/linear") as ws:
            topics = [f"orderbook.1.{self.symbol}", f"publicTrade.{self.symbol}"]
            await ws.send(json.dumps({"op": "subscribe", "args": topics}))
            while not self.ended:
                self.take(await ws.recv())

    def take(self, text):
        try:
            frame = json.loads(text)
        except ValueError:
            return  # it comes once more, whole
        data = frame.get("data")
        if data is None:
            return
        if frame["topic"].startswith("orderbook"):
            for i, side in ((0, data["b"]), (2, data["a"])):
                for price, size in side:
                    if Decimal(size) != 0:
                        self.quote[i:i + 2] = [price, size]
            self.quotes.add(tuple(self.quote))
        else:
            self.prices.update(trade["p"] for trade in data)
        if self.quotes and self.prices and self.first_ns is None:
            self.first_ns = frame["ts"] * 1000000


def test_refused_messages_never_make_wrong_values_and_are_made_good(bus, tmp_path):  # noqa: F811
    began = time.monotonic()
    sim, _, symbols = start(bus, tmp_path, "bybit_linear", "quote ticker", fault="bad-json:37")
    tail = bus.tail_process(symbols[0], kinds="quote,ticker")
    bus.wait_live("bybit_linear")
    observer = Observer(sim.url, symbols[0].split(":")[1])
    observer.start()
    wait_for(lambda: observer.first_ns, what="the observer")

    def made_good(ticks):
        events = [t.get("event") for t in ticks]
        return ("gap" in events and "live" in events[events.index("gap"):] and
                sum(t["kind"] == "quote" for t in ticks) > 400 and
                sum(t["kind"] == "ticker" for t in ticks) > 3)
    tail.wait_lines(made_good, 60, "a gap that ends, quotes and tickers")

    # the observer began at a millisecond: from the next one on it has seen everything
    ticks = [t for t in tail.lines()
             if t.get("exch_ts_ns", 0) > observer.first_ns + 1000000]
    quotes = {(t["bid"], t["bid_size"], t["ask"], t["ask_size"])
              for t in ticks if t["kind"] == "quote"}
    tickers = [t for t in ticks if t["kind"] == "ticker"]
    assert len(quotes) > 100 and tickers
    assert all(float(t["low"]) <= float(t["last"]) <= float(t["high"]) for t in tickers)
    last = {t["last"] for t in tickers}
    wait_for(lambda: quotes <= observer.quotes and last <= observer.prices,
             what="the observer, of every price on the bus")
    observer.ended = True
    observer.join(20)
    counters = bus.stat()[1]["counters"]
    assert counters["frames_bad"] > 0 and counters["books_lost"] > 0
    # each of two symbols is asked for again at once, then 1 s, 2 s, 4 s ... later, not with every
    # bad frame
    each = 2 + math.log2(1 + time.monotonic() - began)
    assert 0 < counters["unsubscribes_sent"] <= 2 * each < counters["frames_bad"]
