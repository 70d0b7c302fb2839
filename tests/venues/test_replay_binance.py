"""The Binance family against recorded sessions."""
from replay import assert_equal


def test_busy_binance_session_gives_every_tick_digit_for_digit():
    got = assert_equal("binance", "binance_busy_btcusdt.jsonl",
                       "expected/binance_busy_btcusdt.expected.jsonl")
    assert {g["kind"] for g in got} == {"trade", "bbo"}


def test_quiet_binance_session_gives_every_tick_digit_for_digit():
    assert_equal("binance", "binance.jsonl", "expected/binance.expected.jsonl")


def test_binance_us_session_gives_every_tick_digit_for_digit():
    assert_equal("binance_us", "binance_us.jsonl", "expected/binance_us.expected.jsonl")


def test_session_of_a_sister_exchange_gives_every_tick_digit_for_digit():
    assert_equal("binance", "binance_tr.jsonl", "expected/binance_tr.expected.jsonl")


def test_frames_of_the_present_documents_give_every_tick_digit_for_digit():
    assert_equal("binance", "samples/binance.samples.jsonl",
                 "expected/binance.samples.expected.jsonl")


def test_frames_of_the_futures_dialect_give_every_tick_digit_for_digit():
    assert_equal("binance", "binance_usdm.jsonl", "expected/binance_usdm.expected.jsonl")
    assert_equal("binance", "binance_coinm.jsonl", "expected/binance_coinm.expected.jsonl")
