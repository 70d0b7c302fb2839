"""OKX against recorded sessions."""
from replay import assert_book_equal, assert_equal


def test_okx_session_gives_every_tick_digit_for_digit():
    got = assert_equal("okx", "okx.jsonl", "expected/okx.expected.jsonl")
    assert {g["kind"] for g in got} == {"trade", "bbo"}


def test_okx_frames_of_the_present_protocol_give_every_tick_digit_for_digit():
    assert_equal("okx", "samples/okx.samples.jsonl", "expected/okx.samples.expected.jsonl")


def test_okx_books_give_every_change_of_their_top_and_fit_all_checksums():
    assert_book_equal("okx", "okx.jsonl", "expected/okx.book.jsonl")
