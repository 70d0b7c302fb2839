"""Bybit v5 against recorded frames, and against a whole session in its wire form."""
import json

from replay import assert_equal, decode, read


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
