"""Deribit against a recorded session, which no expected file exists of: a small decoder and book of
the test's own say what its frames state."""
import json
from decimal import Decimal

from replay import decode, plain, read

CAPTURE = "deribit.jsonl"
EMPTY = None, None, None, None


def frames():
    """Number of the frame, head of its channel and data of each notification; numbers as texts."""
    for n, line in enumerate(read(CAPTURE).splitlines(), 1):
        m = json.loads(line, parse_float=str, parse_int=str)
        if m.get("method") == "subscription":
            yield n, m["params"]["channel"].split(".")[0], m["params"]["data"]


def stated(n, data, kind, **values):
    return {"frame": n, "symbol": "deribit:" + data["instrument_name"], "kind": kind,
            "exch_ts_ns": int(data["timestamp"]) * 1000000,
            **{key: plain(value) for key, value in values.items()}}


def best(n, data):
    return stated(n, data, "quote", bid=data["best_bid_price"], bid_size=data["best_bid_amount"],
                  ask=data["best_ask_price"], ask_size=data["best_ask_amount"])


def independent():
    for n, head, data in frames():
        if head == "trades":
            for t in data:
                yield stated(n, t, "trade", price=t["price"], size=t["amount"]) | {
                    "side": t["direction"]}
        elif head == "quote":
            yield best(n, data)
        elif head == "ticker":
            yield stated(n, data, "ticker", last=data["last_price"], open=None,
                         high=data["stats"]["high"], low=data["stats"]["low"])
            yield best(n, data)


def test_every_tick_of_the_recorded_session_has_the_digits_of_its_frame():
    want = list(independent())
    ticks, stderr = decode("deribit", read(CAPTURE))
    got = [{key: t[key] for key in w} for t, w in zip(ticks, want)]
    for g, w in zip(got, want):
        assert g == w
    assert len(ticks) == len(want) > 100
    assert stderr == "", "no recorded frame is refused"


def apply(book, data):
    for side in "bids", "asks":
        for word, price, amount in data[side]:
            if word == "delete":
                del book[side][Decimal(price)]
            else:
                assert (word == "new") != (Decimal(price) in book[side])
                book[side][Decimal(price)] = price, amount


def top(book):
    bid = book["bids"][max(book["bids"])] if book["bids"] else EMPTY[:2]
    ask = book["asks"][min(book["asks"])] if book["asks"] else EMPTY[:2]
    return *bid, *ask


def independent_tops():
    """A top whenever it changes, as it is written. Before its snapshot a book is empty, so one that
    is empty by its snapshot has nothing to tell."""
    books = {}
    for n, head, data in frames():
        if head != "book":
            continue
        name = data["instrument_name"]
        if data["type"] == "snapshot":
            books[name] = {"bids": {}, "asks": {}, "top": EMPTY}
        book = books[name]
        if data["type"] == "change":
            assert data["prev_change_id"] == book["change_id"], "the recorded session has no gap"
        apply(book, data)
        book["change_id"] = data["change_id"]
        is_new, book["top"] = top(book) != book["top"], top(book)
        if is_new:
            bid, bid_size, ask, ask_size = book["top"]
            yield stated(n, data, "quote", bid=bid, bid_size=bid_size, ask=ask, ask_size=ask_size)


def test_every_top_of_the_recorded_books_has_the_digits_of_its_levels():
    want = list(independent_tops())
    ticks, stderr = decode("deribit", read(CAPTURE), "--book")
    got = [{key: t[key] for key in w} for t, w in zip(ticks, want)]
    for g, w in zip(got, want):
        assert g == w
    assert len(ticks) == len(want) > 5
    assert stderr == "", "no recorded book is lost"


def test_a_change_that_does_not_follow_is_a_lost_book_and_no_price():
    lines = read(CAPTURE).splitlines()
    n, data = next((n, d) for n, head, d in frames() if head == "book" and d["type"] == "change")
    del lines[n - 1]
    ticks, stderr = decode("deribit", b"\n".join(lines) + b"\n", "--book")
    assert "book lost" in stderr
    of = [t["frame"] for t in ticks if t["symbol"] == "deribit:" + data["instrument_name"]]
    assert len(of) == 1 and of[0] < n, "the snapshot's, and none behind the gap"
