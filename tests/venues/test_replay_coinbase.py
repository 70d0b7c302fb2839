"""Coinbase Exchange and Advanced Trade against recorded sessions."""
from replay import assert_book_equal, assert_equal


def test_coinbase_session_gives_every_tick_digit_for_digit():
    got = assert_equal("coinbase", "coinbase.jsonl", "expected/coinbase.expected.jsonl")
    assert {g["kind"] for g in got} == {"trade", "bbo"}
    assert {g["replay"] for g in got} == {True, False}


def test_coinbase_frames_of_the_present_give_every_tick_digit_for_digit():
    assert_equal("coinbase", "samples/coinbase.samples.jsonl",
                 "expected/coinbase.samples.expected.jsonl")


def test_coinbase_advanced_trade_frames_give_every_tick_digit_for_digit():
    assert_equal("coinbase_at", "samples/coinbase_at.samples.jsonl",
                 "expected/coinbase_at.samples.expected.jsonl")


def test_coinbase_session_gives_every_top_of_its_books():
    assert_book_equal("coinbase", "coinbase.jsonl", "expected/coinbase.book.jsonl")
    assert_book_equal("coinbase", "samples/coinbase.samples.jsonl",
                      "expected/coinbase.samples.book.jsonl")
