"""Bitstamp against recorded sessions."""
from replay import assert_equal


def test_bitstamp_session_gives_every_tick_digit_for_digit():
    assert_equal("bitstamp", "bitstamp.jsonl", "expected/bitstamp.expected.jsonl")


def test_bitstamp_frames_of_the_present_protocol_give_every_tick_digit_for_digit():
    got = assert_equal("bitstamp", "samples/bitstamp.samples.jsonl",
                       "expected/bitstamp.samples.expected.jsonl")
    assert {g["kind"] for g in got} == {"trade", "bbo"}
