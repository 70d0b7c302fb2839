"""pxsim as an independent client of Binance's futures, and of its Turkish sister, meets it."""
import asyncio
import json
import os
import re
from decimal import Decimal
from pathlib import Path

import pytest
import websockets

from pxsim_client import ask, pxsim, quiet, receive_until, reply, run, take

CAPTURES = Path(os.environ.get("PX_CAPTURES", ""))
USDM, COINM = "binance_usdm", "binance_coinm"
PERPETUAL = {USDM: "btcusdt", COINM: "btcusd_perp"}
BOOK_DATA = ["bookTicker", "depth", "depth@100ms", "depth@500ms", "depth5", "depth10@100ms",
             "depth20@500ms", "trade"]
MARKET_DATA = ["aggTrade", "ticker", "miniTicker"]


def path_to(venue, kind):
    """Where the venue gives this kind of data."""
    if venue == COINM:
        return ""
    return "/public" if kind in BOOK_DATA else "/market"


async def first(sim, path):
    async with websockets.connect(sim.url(path), max_size=None) as ws:
        return await ws.recv()


# what is told

PRICE, TIME = r'"\d+\.\d\d"', r"\d{13}"


def shapes(venue):
    symbol = PERPETUAL[venue].upper()
    coinm = venue == COINM
    size = r'"\d+"' if coinm else r'"\d+\.\d{5}"'
    name = f'"s":"{symbol}"' + (',"ps":"BTCUSD"' if coinm else "")
    turnover = rf'"v":{size},"q":"\d+\.\d{{{8 if coinm else 7}}}"'
    quote = '"u":\\d+,"e":"bookTicker"' if coinm else '"e":"bookTicker","u":\\d+'
    side = rf"\[(\[{PRICE},{size}\],?)*\]"
    depth = (rf'{{"e":"depthUpdate","E":{TIME},"T":{TIME},{name},"U":\d+,"u":\d+,"pu":\d+,'
             rf'"b":{side},"a":{side}}}')
    return {
        "trade": rf'{{"e":"trade","E":{TIME},"T":{TIME},"s":"{symbol}","t":\d+,"p":{PRICE},'
                 rf'"q":{size},"X":"MARKET","m":(true|false)}}',
        "aggTrade": rf'{{"e":"aggTrade","E":{TIME},"a":\d+,"s":"{symbol}","p":{PRICE},"q":{size},'
                    rf'"f":\d+,"l":\d+,"T":{TIME},"m":(true|false)}}',
        "bookTicker": rf'{{{quote},{name},"b":{PRICE},"B":{size},"a":{PRICE},"A":{size},'
                      rf'"T":{TIME},"E":{TIME}}}',
        "ticker": rf'{{"e":"24hrTicker","E":{TIME},{name},"p":"-?\d+\.\d\d","P":"-?\d+\.\d{{3}}",'
                  rf'"w":"\d+\.\d{{{8 if coinm else 2}}}","c":{PRICE},"Q":{size},"o":{PRICE},'
                  rf'"h":{PRICE},"l":{PRICE},{turnover},"O":{TIME},"C":{TIME},"F":\d+,"L":\d+,'
                  rf'"n":\d+}}',
        "miniTicker": rf'{{"e":"24hrMiniTicker","E":{TIME},{name},"c":{PRICE},"o":{PRICE},'
                      rf'"h":{PRICE},"l":{PRICE},{turnover}}}',
        "depth@100ms": depth,
        "depth5": depth,
    }


@pytest.mark.parametrize("venue", PERPETUAL)
def test_every_stream_of_futures_has_the_venues_shape_wrapped_and_raw(venue):
    async def client(sim, kind, shape):
        stream, path = f"{PERPETUAL[venue]}@{kind}", path_to(venue, kind)
        text = await first(sim, f"{path}/ws/{stream}")
        assert re.fullmatch(shape, text), text
        text = await first(sim, f"{path}/stream?streams={stream}")
        assert re.fullmatch(rf'{{"stream":"{stream}","data":{shape}}}', text), text
    async def all_of_them(sim):
        await asyncio.gather(*(client(sim, *item) for item in shapes(venue).items()))
    with pxsim(venue=venue) as sim:
        run(all_of_them(sim))


def recorded(name, wanted):
    """The orders of keys in which the venue has sent what is wanted."""
    path = CAPTURES / name
    if not path.exists():
        pytest.skip(f"{name} is not there")
    orders = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        frame = json.loads(line)
        events = frame["data"] if "data" in frame else []
        for event in events if isinstance(events, list) else [events]:
            if wanted(frame["stream"], event):
                orders.add(tuple(event))
    assert orders
    return orders


def of_kind(kind):
    return lambda stream, event: stream.endswith("@" + kind)


@pytest.mark.parametrize("venue", [USDM, COINM, "binance_tr"])
@pytest.mark.parametrize("kind", ["bookTicker", "aggTrade", "depth@100ms"])
def test_keys_are_those_of_recorded_frames_in_their_order(venue, kind):
    if (venue, kind) == ("binance_tr", "aggTrade"):
        orders = recorded("binance.jsonl", of_kind(kind))  # the sister's recording has none
    else:
        orders = recorded(f"{venue}.jsonl", of_kind(kind))
    path = path_to(venue, kind) if venue == USDM else ""
    async def client(sim):
        stream = f"{PERPETUAL.get(venue, 'btcusdt')}@{kind}"
        frame = json.loads(await first(sim, f"{path}/stream?streams={stream}"))
        assert list(frame) == ["stream", "data"] and tuple(frame["data"]) in orders
    with pxsim(venue=venue) as sim:
        run(client(sim))


def test_a_full_ticker_of_futures_has_the_recorded_keys():
    orders = recorded("samples/binance.samples.jsonl",
                      lambda stream, e: e.get("e") == "24hrTicker" and "b" not in e)
    async def client(sim):
        (one, *_) = json.loads(await first(sim, "/market/ws/!ticker@arr"))
        assert tuple(one) in orders
    with pxsim(venue=USDM) as sim:
        run(client(sim))


@pytest.mark.parametrize("venue", PERPETUAL)
def test_the_all_market_arrays_name_many_contracts(venue):
    async def client(sim, name, event):
        names = set()
        async with websockets.connect(sim.url(f"{path_to(venue, 'ticker')}/ws/{name}"),
                                      max_size=None) as ws:
            while len(names) < 300 or PERPETUAL[venue].upper() not in names:
                array = json.loads(await ws.recv())
                assert all(m["e"] == event for m in array)
                names |= {m["s"] for m in array}
        assert venue == USDM or all(re.fullmatch("[A-Z]+USD_PERP", n) for n in names)
    with pxsim(venue=venue) as sim:
        run(client(sim, "!miniTicker@arr", "24hrMiniTicker"))
        run(client(sim, "!ticker@arr", "24hrTicker"))


def decimals(text):
    return len(text.partition(".")[2])


@pytest.mark.parametrize("venue", PERPETUAL)
def test_each_symbol_keeps_its_own_digits_and_coin_margined_sizes_are_contracts(venue):
    symbols = ["btc", "shib", "new"]
    quote = "usdt" if venue == USDM else "usd_perp"
    async def client(sim):
        digits = {}
        streams = [f"{s}{quote}@{k}" for s in symbols for k in ("bookTicker", "depth20@100ms")]
        path = path_to(venue, "bookTicker")
        async with websockets.connect(
                sim.url(f"{path}/stream?streams=" + "/".join(streams))) as ws:
            for m in await take(ws, 300):
                d = m["data"]
                pairs = [(d["b"], d["B"]), (d["a"], d["A"])] if "B" in d else d["b"] + d["a"]
                for price, size in pairs:
                    digits.setdefault(d["s"], set()).add((decimals(price), decimals(size)))
        assert len(digits) == 3 and all(len(seen) == 1 for seen in digits.values())
        assert len({seen for one in digits.values() for seen, _ in one}) > 1
        if venue == COINM:
            assert all(size == 0 for one in digits.values() for _, size in one)
    with pxsim(venue=venue) as sim:
        run(client(sim))


@pytest.mark.parametrize("venue", PERPETUAL)
def test_a_book_kept_by_pu_agrees_with_the_partial_book(venue):
    symbol = PERPETUAL[venue]
    streams = [f"{symbol}@depth20@100ms", f"{symbol}@depth@100ms"]
    async def client(sim):
        book, last, chained, compared, stepped = None, None, False, 0, False
        async with websockets.connect(sim.url(
                f"{path_to(venue, 'depth')}/stream?streams=" + "/".join(streams))) as ws:
            while compared < 8:
                m = json.loads(await ws.recv())
                d = m["data"]
                if m["stream"] == streams[0]:
                    shown = {"b": dict(d["b"]), "a": dict(d["a"])}
                    if book is None:
                        book, last = shown, d["u"]
                    elif last == d["u"]:
                        assert book == shown
                        compared += 1
                elif book is not None and d["u"] > last:
                    assert d["pu"] < d["U"] <= d["u"]
                    assert d["pu"] == last or (not chained and d["U"] <= last + 1)
                    stepped = stepped or d["U"] > d["pu"] + 1
                    chained, last = True, d["u"]
                    for side in "ba":
                        for price, size in d[side]:
                            if Decimal(size) == 0:
                                del book[side][price]
                            else:
                                book[side][price] = size
        assert stepped
    with pxsim("--rate", 200, venue=venue) as sim:
        run(client(sim))


def test_a_contract_with_a_day_of_delivery_costs_what_the_pair_does():
    async def price(sim, venue, symbol):
        text = await first(sim, f"{path_to(venue, 'trade')}/ws/{symbol}@trade")
        return float(json.loads(text)["p"])
    async def client(sim, venue, contract):
        pair = await price(sim, venue, PERPETUAL[venue])
        assert abs(await price(sim, venue, contract) / pair - 1) < 0.05
    for venue, contract in [(USDM, "btcusdt_261225"), (COINM, "btcusd_261225")]:
        with pxsim(venue=venue) as sim:
            run(client(sim, venue, contract))


def test_names_that_are_no_contract_are_accepted_and_silent():
    names = {USDM: ["btcusdt_perp@bookTicker", "btcusdt_2612@bookTicker", "BTCUSDT@bookTicker"],
             COINM: ["btcusd@bookTicker", "btcusdt@bookTicker", "btcusd_2612@bookTicker",
                     "btceur_perp@bookTicker"]}
    async def client(sim, venue):
        async with websockets.connect(sim.url()) as ws:
            asked = names[venue] + [f"{PERPETUAL[venue]}@avgPrice", "!bookTicker",
                                    f"{PERPETUAL[venue]}@depth@1000ms"]
            assert (await ask(ws, "SUBSCRIBE", asked))["result"] is None
            await quiet(ws, 1.2)
            assert (await ask(ws, "LIST_SUBSCRIPTIONS"))["result"] == asked
    for venue in PERPETUAL:
        with pxsim(venue=venue) as sim:
            run(client(sim, venue))


# paths

async def kinds_on(sim, path, symbol):
    """The kinds that are told, of all that are asked for, within more than a second."""
    names = [f"{symbol}@{kind}" for kind in BOOK_DATA + MARKET_DATA] + ["!miniTicker@arr"]
    told = set()
    async with websockets.connect(sim.url(path), max_size=None) as ws:
        assert await ask(ws, "SET_PROPERTY", ["combined", True]) == {"result": None, "id": 1}
        assert await ask(ws, "SUBSCRIBE", names) == {"result": None, "id": 1}
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(take(ws, 10**6, lambda m: told.add(m["stream"])), 2.5)
    return {name.split("@", 1)[1] if name[0] != "!" else name for name in told}


def test_usdm_gives_each_class_of_data_on_its_path_and_without_one_book_data_only():
    book, market = set(BOOK_DATA), {*MARKET_DATA, "!miniTicker@arr"}
    given = {"/public/ws": book, "/public/stream": book, "/market/ws": market,
             "/market/stream": market, "/ws": book, "/stream": book}
    async def client(sim):
        told = await asyncio.gather(*(kinds_on(sim, path, "btcusdt") for path in given))
        assert dict(zip(given, told)) == given
    with pxsim("--rate", 500, venue=USDM) as sim:
        run(client(sim))


def test_streams_in_the_url_of_the_wrong_path_are_silent():
    async def client(sim, path):
        async with websockets.connect(sim.url(path)) as ws:
            await quiet(ws, 1.2)
    with pxsim(venue=USDM) as sim:
        for path in ["/public/ws/btcusdt@aggTrade", "/market/stream?streams=btcusdt@bookTicker",
                     "/ws/btcusdt@aggTrade"]:
            run(client(sim, path))


def test_coinm_gives_all_on_one_path():
    everything = {*BOOK_DATA, *MARKET_DATA, "!miniTicker@arr"}
    async def client(sim):
        for path in ["/ws", "/stream"]:
            assert await kinds_on(sim, path, "btcusd_perp") == everything
    with pxsim("--rate", 500, venue=COINM) as sim:
        run(client(sim))


def test_other_paths_of_futures_are_not_found():
    async def client(sim, path):
        with pytest.raises(websockets.InvalidStatusCode) as status:
            await websockets.connect(sim.url(path))
        assert status.value.status_code == 404
    for venue, paths in [(USDM, ["/", "/public", "/public/", "/private/ws", "/market/wss"]),
                         (COINM, ["/", "/public/ws", "/market/stream"])]:
        with pxsim(venue=venue) as sim:
            for path in paths:
                run(client(sim, path))


def test_futures_have_no_choice_of_the_unit_of_time():
    async def client(sim, path):
        assert len(str(json.loads(await first(sim, path))["E"])) == 13
    with pxsim(venue=USDM) as sim:
        run(client(sim, "/public/ws/btcusdt@bookTicker?timeUnit=MICROSECOND"))


# requests, heartbeat and limits

@pytest.mark.parametrize("venue", [USDM, COINM, "binance_tr"])
def test_acks_and_errors_are_those_of_spot(venue):
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            assert await ask(ws, "UNSUBSCRIBE", ["x@y"], "a1") == {"result": None, "id": "a1"}
            assert await ask(ws, "SUBSCRIBE", ["bad"], 2) == {
                "error": {"code": 2, "msg": "Invalid request: invalid stream"}, "id": 2}
            await ws.send("hello")
            assert await reply(ws) == {
                "error": {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}}
    with pxsim(venue=venue) as sim:
        run(client(sim))


@pytest.mark.parametrize("venue,allowed", [(USDM, 10), (COINM, 10), ("binance_tr", 5)])
def test_one_message_more_than_a_second_allows_closes_with_1008(venue, allowed):
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            for _ in range(allowed):
                await ws.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
            for _ in range(allowed):
                assert json.loads(await ws.recv()) == {"result": [], "id": 1}
            await ws.pong(b"")
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await ws.recv()
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
                1008, "Too many requests")
    with pxsim(venue=venue) as sim:
        run(client(sim))


@pytest.mark.parametrize("venue", PERPETUAL)
def test_the_1025th_stream_of_a_connection_is_refused(venue):
    async def client(sim):
        async with websockets.connect(sim.url()) as ws:
            for i in range(0, 1024, 128):
                names = [f"sym{n}usdt@depth" for n in range(i, i + 128)]
                assert (await ask(ws, "SUBSCRIBE", names))["result"] is None
            answer = await ask(ws, "SUBSCRIBE", [f"{PERPETUAL[venue]}@depth"])
            assert answer == {"error": {"code": 4, "msg": "Too many subscriptions"}, "id": 1}
    with pxsim("--limits", "off", "--rate", 0, venue=venue) as sim:
        run(client(sim))


@pytest.mark.parametrize("venue", PERPETUAL)
def test_unanswered_pings_of_futures_end_the_connection(venue):
    with pxsim("--ping-interval", 100, "--pong-timeout", 300, venue=venue) as sim:
        s, rest = sim.upgraded("/ws")
        frames, _, _ = receive_until(s, rest, lambda f, r: any(op == 8 for _, op, _ in f))
        pings = [payload for _, op, payload in frames if op == 9]
        assert len(pings) >= 3 and all(p.isdigit() for p in pings)
        assert frames[-1][2] == b"\x03\xf0Pong timeout"
        s.close()


def test_a_planned_end_is_announced_on_spot_alone():
    async def client(sim, said):
        async with websockets.connect(sim.url()) as ws:
            with pytest.raises(websockets.ConnectionClosed) as closed:
                while True:
                    said.append(json.loads(await ws.recv())["e"])
            assert closed.value.rcvd.code == 1001
    for venue, notice in [(USDM, []), ("binance_tr", ["serverShutdown"])]:
        with pxsim("--fault", "server-shutdown:0", venue=venue) as sim:
            said = []
            run(client(sim, said))
            assert said == notice


@pytest.mark.parametrize("venue", PERPETUAL)
def test_a_gap_is_one_in_the_ids_of_aggregated_trades(venue):
    async def client(sim):
        url = sim.url(f"{path_to(venue, 'aggTrade')}/ws/{PERPETUAL[venue]}@aggTrade")
        async with websockets.connect(url) as ws:
            ids = [m["a"] for m in await take(ws, 20)]
        steps = [b - a for a, b in zip(ids, ids[1:])]
        assert sorted(steps) == [1] * 18 + [8]
    with pxsim("--fault", "sequence-gap:7", venue=venue) as sim:
        run(client(sim))
