"""The Binance family against recorded sessions."""
import pytest
from replay import assert_equal


def test_busy_binance_session_gives_every_tick_digit_for_digit():
    got = assert_equal("binance", "binance_busy_btcusdt.jsonl",
                       "expected/binance_busy_btcusdt.expected.jsonl")
    assert {g["kind"] for g in got} == {"trade", "bbo"}


@pytest.mark.parametrize("venue", ["binance", "binance_us", "binance_tr"])
def test_quiet_spot_session_gives_every_tick_digit_for_digit(venue):
    assert_equal(venue, f"{venue}.jsonl", f"expected/{venue}.expected.jsonl")


@pytest.mark.parametrize("venue", ["binance_usdm", "binance_coinm"])
def test_futures_session_gives_every_tick_digit_for_digit(venue):
    got = assert_equal(venue, f"{venue}.jsonl", f"expected/{venue}.expected.jsonl")
    assert {g["kind"] for g in got} == {"trade", "bbo"}
    assert all(g["exch_ts_us"] for g in got)  # futures state the time of quotes too


def test_frames_of_the_present_documents_give_every_tick_digit_for_digit():
    assert_equal("binance", "samples/binance.samples.jsonl",
                 "expected/binance.samples.expected.jsonl")
