"""The leak tests of scripts/leaktest, in full."""
from test_leaktest import leaktest


def test_a_hundred_thousand_cycles_three_thousand_reconnects_ten_million_ticks_leave_nothing():
    leaktest(timeout=7000)
