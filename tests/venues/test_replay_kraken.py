"""Kraken v2 against recorded frames, and against a session of the old protocol put in its words."""
from replay import assert_book_equal, assert_equal


def test_frames_of_the_present_protocol_give_every_tick_digit_for_digit():
    got = assert_equal("kraken", "samples/kraken_v2.samples.jsonl",
                       "expected/kraken_v2.samples.expected.jsonl")
    assert {g["kind"] for g in got} == {"trade", "bbo"}
    assert {g["replay"] for g in got} == {False, True}


def test_session_in_the_present_protocol_gives_every_tick_digit_for_digit():
    assert_equal("kraken", "converted/kraken_v2.jsonl",
                 "expected/kraken_v2.converted.expected.jsonl")


def test_books_of_the_present_protocol_agree_with_their_checksums_and_give_every_top():
    assert_book_equal("kraken", "samples/kraken_v2.samples.jsonl",
                      "expected/kraken_v2.samples.book.jsonl")


def test_books_of_a_session_agree_with_their_checksums_and_give_every_top():
    assert_book_equal("kraken", "converted/kraken_v2.jsonl",
                      "expected/kraken_v2.converted.book.jsonl")
