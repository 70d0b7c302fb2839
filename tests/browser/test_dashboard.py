"""The dashboard of pxmon as people meet it: in a real Chromium, on a feeder that runs."""
import signal
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from browser import DESKTOP, PHONE, browser  # noqa: E402, F401  (fixture)
from px_tools import STALE, bus_name, stat, until  # noqa: E402
from px_tools import feeder, writer  # noqa: E402, F401  (fixtures)
from pxmon import certificate, mon  # noqa: E402, F401  (fixtures)

TOKEN = "a-token-of-this-test-0123456789"
HAS_HISTORY = "document.querySelector('#summary-ticks').textContent.includes('from')"
RESTARTED = "document.querySelector('#restart-text').dataset.level"


def open_page(browser, m, **options):  # noqa: F811
    b = browser(**options)
    assert b.open(m.origin) == 200
    b.until("document.querySelector('#link').textContent === 'live'")
    return b


def is_clean(b, m):
    """Nothing was complained of, and nothing asked for but from pxmon itself."""
    seen = b.seen()
    assert seen["console"] == [] and seen["errors"] == []
    assert len(seen["requests"]) > 5
    assert {urlsplit(x).netloc for x in seen["requests"]} == {urlsplit(m.origin).netloc}


def test_values_move_and_nothing_is_asked_for_from_outside(browser, mon, feeder):  # noqa: F811
    m = mon(feeder.bus)
    m.ready(200)
    b = open_page(browser, m)
    b.until_text("#health-word", "OK")
    assert b.level("#health") == "good" and b.js("document.title").startswith("OK")
    first = b.text("#ticks-note")
    b.until(f"document.querySelector('#ticks-note').textContent !== '{first}'")
    # charts: of all columns, and a point a second
    b.until("document.querySelectorAll('.chart canvas').length === 5")
    b.until_text("#summary-ticks", ", from ")
    b.until_text("#summary-latency", "p99 ")
    b.until("/resident [0-9.]+ MiB, .*; json [0-9.]+ MiB, /.test(document.querySelector('#summary-memory').textContent)")
    b.until("document.querySelectorAll('#table-subscriptions tbody tr').length > 1")
    b.until("performance.now() > 6000")
    b.shot("healthy-light", fullPage=True)
    b.media(colorScheme="dark")
    dark = b.js("getComputedStyle(document.body).backgroundColor")
    b.shot("healthy-dark", fullPage=True)
    assert sum(int(x) for x in dark[4:-1].split(",")) < 150
    is_clean(b, m)


def test_the_restart_button_recycles_the_feeder_and_the_page_shows_the_new_epoch(browser, mon, feeder):  # noqa: F811
    m = mon(feeder.bus)
    m.ready(200)
    b = open_page(browser, m)
    b.until_text("#feeder-note", "epoch 1,")
    symbols = len(stat(feeder.bus)["subscriptions"])
    b.click("#restart")
    b.shot("restart-dialog")
    # exchanges that do not answer keep it where one can look at it
    feeder.signal_exchanges(signal.SIGSTOP)
    b.click("#restart-confirm")
    b.until_text("#step-connections", "connections 0 of 6 live")
    for step in "asked", "down", "epoch":
        assert b.level(f"#step-{step}") == "good"
    assert b.js("document.querySelector('[aria-current=step]').id") == "step-connections"
    assert b.text("#step-epoch").startswith("epoch 2, ")
    assert b.text("#step-symbols") == f"symbols 0 of {symbols} live"
    assert b.js("document.querySelector('#restart').disabled")
    b.shot("restart-progress")
    feeder.signal_exchanges(signal.SIGCONT)
    assert b.until(RESTARTED, deadline_s=60) == "good", b.text("#restart-text")
    b.until_text("#feeder-note", "epoch 2,")
    b.shot("restart-done")
    steps = b.text("#restart-steps")
    for words in ("asked, ", "feeder down, ", "epoch 2, ", "connections 6 of 6 live, ",
                  f"symbols {symbols} of {symbols} live, "):
        assert words in steps, (words, steps)
    assert "blackout" in b.text("#restart-text")
    assert not b.js("document.querySelector('#restart').disabled")
    is_clean(b, m)


def test_a_stopped_feeder_turns_the_page_red_within_two_seconds(browser, mon, feeder):  # noqa: F811
    """Of the promise; five times that is a failure."""
    m = mon(feeder.bus)
    m.ready(200)
    b = open_page(browser, m)
    b.until("document.body.dataset.health === 'good'")
    feeder.process.send_signal(signal.SIGSTOP)
    start = time.monotonic()
    b.until("document.body.dataset.health === 'bad'")
    seconds = time.monotonic() - start
    print(f"red after {seconds:.2f} s")
    assert seconds < 10
    b.until_text("#health-text", "is stopped by a signal")
    b.until_text("#feeder-state", "stalled")
    assert b.level("#health") == b.level("#feeder-card") == "bad"
    b.shot("red", fullPage=True)
    feeder.process.send_signal(signal.SIGCONT)
    b.until("document.body.dataset.health === 'good'")
    is_clean(b, m)
