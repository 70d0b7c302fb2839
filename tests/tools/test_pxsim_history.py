"""Trades that pxsim made, as somebody who asks for them over HTTP gets them."""
import asyncio
import json
import urllib.error
import urllib.request

import pytest
import websockets

from pxsim_client import pxsim

SUBSCRIBE = {
    "binance": '{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}',
    "coinbase": '{"type":"subscribe","product_ids":["BTC-USD"],"channels":["matches"]}',
    "kraken": '{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"],"snapshot":false}}',
    "deribit": '{"jsonrpc":"2.0","id":1,"method":"public/subscribe","params":{"channels":'
               '["trades.BTC-PERPETUAL.100ms"]}}'}
PATH = {"binance": "/ws", "deribit": "/ws/api/v2", "kraken": "/v2"}


def ask(sim, path):
    with urllib.request.urlopen(sim.url(path, "http"), timeout=20) as answer:
        return json.loads(answer.read())


def status(sim, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(sim, path)
    return refused.value.code


def streamed(sim, venue, n):
    """So many trades of the stream: (id, price, size, time) as the venue writes them there."""
    pick = {"binance": lambda m: [(m["t"], m["p"], m["q"])] if m.get("e") == "trade" else [],
            "coinbase": lambda m: [(m["trade_id"], m["price"], m["size"])] if m["type"] == "match" else [],
            "kraken": lambda m: [(t["trade_id"], t["price"], t["qty"]) for t in m["data"]]
            if m.get("channel") == "trade" else [],
            "deribit": lambda m: [(t["trade_seq"], t["price"], t["amount"])
                                  for t in m.get("params", {}).get("data", [])]}[venue]
    found = []

    async def listen():
        async with websockets.connect(sim.url(PATH.get(venue, ""))) as ws:
            await ws.send(SUBSCRIBE[venue])
            while len(found) < n:
                found.extend(pick(json.loads(await asyncio.wait_for(ws.recv(), 20))))
    asyncio.run(listen())
    return found[:n]


def test_binance_has_the_trades_that_it_streamed():
    with pxsim("--rate", "500") as sim:
        trades = streamed(sim, "binance", 30)
        first = trades[0][0]
        said = ask(sim, f"/api/v3/historicalTrades?symbol=BTCUSDT&fromId={first}&limit=30")
        assert [(t["id"], t["price"], t["qty"]) for t in said] == trades
        assert set(said[0]) == {"id", "price", "qty", "quoteQty", "time", "isBuyerMaker", "isBestMatch"}
        recent = ask(sim, "/api/v3/trades?symbol=BTCUSDT&limit=5")
        assert [t["id"] for t in recent] == list(range(recent[-1]["id"] - 4, recent[-1]["id"] + 1))
        aggregates = ask(sim, "/api/v3/aggTrades?symbol=BTCUSDT&limit=5")
        assert [t["f"] for t in aggregates] == [t["l"] for t in aggregates]


def test_binance_refuses_what_it_cannot_answer():
    with pxsim() as sim:
        assert status(sim, "/api/v3/historicalTrades?symbol=nope") == 400
        assert status(sim, "/api/v3/historicalTrades") == 400
        assert status(sim, "/api/v3/historicalTrades?symbol=BTCUSDT&limit=1001") == 400
        assert status(sim, "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=x") == 400
        assert status(sim, "/api/v3/depth?symbol=BTCUSDT") == 404
        assert sim.counts()["requests"] == 5


def test_coinbase_has_them_latest_first():
    with pxsim("--rate", "500", venue="coinbase") as sim:
        trades = streamed(sim, "coinbase", 30)
        said = ask(sim, f"/products/BTC-USD/trades?limit=30&after={trades[-1][0] + 1}")
        assert [(t["trade_id"], t["price"], t["size"]) for t in said] == trades[::-1]
        assert status(sim, "/products/btc/trades") == 404
        assert status(sim, "/products/BTC-USD/trades?limit=0") == 400


def test_kraken_has_them_from_a_time_on():
    with pxsim("--rate", "500", venue="kraken") as sim:
        trades = streamed(sim, "kraken", 30)
        said = ask(sim, "/0/public/Trades?pair=XBTUSD&since=0&count=1000")
        rows = next(v for v in said["result"].values() if isinstance(v, list))
        at = [r[6] for r in rows].index(trades[0][0])
        assert [(r[6], float(r[0]), float(r[1])) for r in rows[at:at + 30]] == trades
        time = rows[at][2]
        later = ask(sim, f"/0/public/Trades?pair=XBTUSD&since={round(time * 1000000) * 1000}")
        rest = next(v for v in later["result"].values() if isinstance(v, list))
        # of trades that were made at once a later one may be microseconds older
        assert rest[0][6] == 1 + max(r[6] for r in rows if r[2] <= time)
        assert ask(sim, "/0/public/Trades?pair=NOPE")["error"] == ["EQuery:Unknown asset pair"]


def test_deribit_has_them_by_the_count_of_the_instrument():
    with pxsim("--rate", "500", venue="deribit") as sim:
        trades = streamed(sim, "deribit", 30)
        said = ask(sim, "/api/v2/public/get_last_trades_by_instrument?instrument_name=BTC-PERPETUAL"
                   f"&start_seq={trades[0][0]}&end_seq={trades[-1][0]}&count=1000&sorting=asc")
        assert [(t["trade_seq"], t["price"], t["amount"]) for t in said["result"]["trades"]] == trades


@pytest.mark.parametrize("fault, code", (("rest-429:7", 429), ("rest-500", 500)))
def test_faults_of_requests_befall_so_many_and_no_connection(fault, code):
    with pxsim("--fault", fault, "--fault-requests", "1", "--rate", "500") as sim:
        path = "/api/v3/trades?symbol=BTCUSDT&limit=1"
        streamed(sim, "binance", 5)
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(sim, path)
        assert refused.value.code == code
        assert refused.value.headers["Retry-After"] == ("7" if code == 429 else None)
        assert len(ask(sim, path)) == 1


def test_half_an_answer_is_no_json_and_a_giant_one_has_its_size():
    with pxsim("--fault", "rest-truncated", "--rate", "500") as sim:
        streamed(sim, "binance", 5)
        with pytest.raises(json.JSONDecodeError):
            ask(sim, "/api/v3/trades?symbol=BTCUSDT&limit=5")
    with pxsim("--fault", "rest-giant:3000000") as sim:
        with urllib.request.urlopen(sim.url("/api/v3/trades", "http"), timeout=20) as answer:
            assert len(answer.read()) == 3000000
