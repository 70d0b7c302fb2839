"""Bybit v5 against recorded frames, and against a whole session in its wire form."""
import json

from replay import assert_equal, decode, plain, read


def test_linear_frames_of_2023_to_2026_give_every_tick_digit_for_digit():
    got = assert_equal("bybit_linear", "samples/bybit_v5.samples.jsonl",
                       "expected/bybit_v5.samples.expected.jsonl")
    assert {g["kind"] for g in got} == {"trade", "bbo"}


def test_spot_frames_give_every_tick_digit_for_digit():
    assert_equal("bybit", "samples/bybit_v5_spot.samples.jsonl",
                 "expected/bybit_v5_spot.samples.expected.jsonl")


def test_a_whole_linear_session_gives_every_tick_digit_for_digit():
    assert_equal("bybit_linear", "converted/bybit_v5.jsonl",
                 "expected/bybit_v5.converted.expected.jsonl")


def test_books_of_50_levels_have_the_tops_that_the_venue_tells_beside_them():
    def by_symbol(tops):
        symbols = {}
        for top in tops:
            symbols.setdefault(top["symbol"].split(":")[-1], []).append(
                [plain(top[key]) for key in ("bid", "bid_size", "ask", "ask_size")])
        return symbols

    tops, stderr = decode("bybit_linear", read("converted/bybit_v5.jsonl"), "--book")
    want = [json.loads(line) for line in
            read("expected/bybit_v5.converted.expected.jsonl").splitlines()]
    assert by_symbol(tops) == by_symbol(w for w in want if w["kind"] == "bbo")
    assert stderr == ""
