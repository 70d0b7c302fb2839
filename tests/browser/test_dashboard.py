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


def column(b, table, i):
    return b.js(f"[...document.querySelectorAll('#table-{table} tbody tr')].map(r => r.cells[{i}].textContent)")


def test_tables_sort_and_filter(browser, mon, feeder):  # noqa: F811
    m = mon(feeder.bus)
    m.ready(200)
    b = open_page(browser, m)
    b.until("document.querySelectorAll('#table-subscriptions tbody tr').length > 10")
    symbols = column(b, "subscriptions", 0)
    assert symbols == sorted(symbols)
    b.click("#table-subscriptions th:first-child button")
    assert column(b, "subscriptions", 0) == sorted(symbols, reverse=True)
    assert b.js("document.querySelector('#table-subscriptions th').ariaSort") == "descending"
    b.fill("#filter-subscriptions", "kraken usd")
    found = [s for s in symbols if "kraken" in s and "usd" in s.lower()]
    assert sorted(column(b, "subscriptions", 0)) == found and 0 < len(found) < len(symbols)
    assert b.text("#count-subscriptions") == f"{len(found)} of {len(symbols)}"
    # numbers are sorted as numbers, and stay so while they grow
    b.click("#table-connections th:nth-child(4) button")
    before = b.text("#ticks-note")
    b.until(f"document.querySelector('#ticks-note').textContent !== '{before}'")
    messages = [int(x.replace(",", "")) for x in column(b, "connections", 3)]
    assert messages == sorted(messages) and len(messages) == 6
    b.fill("#filter-subscriptions", "no such symbol")
    assert column(b, "subscriptions", 0) == []


def test_it_fits_a_phone(browser, mon, feeder):  # noqa: F811
    m = mon(feeder.bus)
    m.ready(200)
    b = open_page(browser, m, viewport=PHONE, isMobile=True, hasTouch=True, deviceScaleFactor=2)
    b.until("document.querySelectorAll('.chart canvas').length === 5")
    b.until_text("#health-word", "OK")
    wide = b.js("[document.documentElement.scrollWidth, document.body.scrollWidth, innerWidth]")
    assert wide == [PHONE["width"]] * 3
    outside = b.js("""[...document.querySelectorAll('button, input, dd, h1, h2, figure, p')].filter(e => {
        const r = e.getBoundingClientRect();
        return r.width > 1 && (r.left < 0 || r.right > innerWidth) && !e.closest('.scroll, .hidden, .skip');
    }).map(e => e.outerHTML.slice(0, 80))""")
    assert outside == []
    b.shot("phone", fullPage=True)
    b.click("#restart")
    small = b.js("""[...document.querySelectorAll('#restart-dialog button')].map(e => e.getBoundingClientRect())
        .filter(r => r.height < 40 || r.left < 0 || r.right > innerWidth || r.bottom > innerHeight).length""")
    assert small == 0
    b.shot("phone-dialog")
    b.click("#restart-confirm")
    assert b.until(RESTARTED, deadline_s=60) == "good"
    assert b.js("document.documentElement.scrollWidth") == PHONE["width"]
    is_clean(b, m)


def test_the_keyboard_alone_will_do(browser, mon, feeder):  # noqa: F811
    m = mon(feeder.bus)
    m.ready(200)
    b = open_page(browser, m)
    b.until("!document.querySelector('#restart').disabled")
    focused = "document.activeElement.id"
    b.press("Tab")
    assert b.js("document.activeElement.className") == "skip"
    b.until("document.activeElement.getBoundingClientRect().left >= 0")  # it slides in
    b.press("Tab")
    assert b.js(focused) == "restart"
    outline = b.js("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px", "the focus is seen"
    b.press("Enter")
    assert b.js("document.querySelector('#restart-dialog').open") and b.js(focused) == "restart-cancel"
    b.press("Escape")
    assert not b.js("document.querySelector('#restart-dialog').open") and b.js(focused) == "restart"
    b.press("Enter", "Enter")
    assert not b.js("document.querySelector('#restart-dialog').open"), "the first button cancels"
    assert stat(feeder.bus)["bus"]["epoch"] == 1
    b.press("Enter", "Tab")
    assert b.js(focused) == "restart-confirm"
    b.press("Enter")
    assert b.until(RESTARTED, deadline_s=60) == "good"
    assert stat(feeder.bus)["bus"]["epoch"] == 2
    # on through the ranges of the charts, the filters and the heads of the tables
    b.js("document.activeElement.blur()")
    reached = set()
    for _ in range(60):
        b.press("Tab")
        reached.add(b.js("document.activeElement.id || document.activeElement.textContent"))
    assert {"filter-connections", "filter-errors", "Venue", "Symbol"} <= reached


def test_a_screen_reader_is_told_everything_by_name(browser, mon, feeder):  # noqa: F811
    m = mon(feeder.bus)
    m.ready(200)
    b = open_page(browser, m)
    b.until_text("#summary-ticks", "ticks ")
    roles = b.roles("body")
    for line in ('heading "bus ', 'heading "Now" [level=2]', 'heading "History" [level=2]', 'button "Restart feeder…"',
                 'radio "10 min" [checked]', 'searchbox "Filter subscriptions"', 'table "Connections"',
                 'table "Subscriptions"', 'table "Readers"', 'table "Errors"', 'columnheader "Symbol"',
                 'button "Symbol"', 'img "ticks ', 'term: Memory', "banner", "main", "status"):
        assert f"- {line}" in roles, f"{line}\n{roles}"
    nameless = b.js("""[...document.querySelectorAll('button, input')]
        .filter(e => !e.textContent.trim() && !e.labels?.length && !e.ariaLabel).length""")
    assert nameless == 0
    # a change of the verdict is said once, in a region that is read out; numbers that move are not
    assert b.text("#announce") == ""
    b.js("""{
        window.told = [];
        const region = document.querySelector('#announce');
        new MutationObserver(() => told.push(region.textContent)).observe(region, {childList: true});
    }""")
    feeder.process.send_signal(signal.SIGSTOP)
    b.until_text("#announce", "The bus is now critical: the feeder gives no sign of life")
    feeder.process.send_signal(signal.SIGCONT)
    b.until_text("#announce", "The bus is now ok")
    verdicts = [x.split(":")[0] for x in b.js("told")]
    assert verdicts == sorted(set(verdicts), key=verdicts.index), "each once"
    b.click("#restart")
    assert '- dialog "Restart the feeder?"' in b.roles("body")


def test_it_goes_on_after_a_kill_of_the_feeder_and_its_next_start(browser, mon, feeder):  # noqa: F811
    m = mon(feeder.bus)
    m.ready(200)
    b = open_page(browser, m)
    b.until("document.body.dataset.health === 'good'")
    feeder.process.kill()
    feeder.process.wait()
    b.until("document.body.dataset.health === 'bad'")
    b.until_text("#health-text", "the feeder is gone")
    b.until_text("#feeder-state", "gone")
    feeder.start()
    b.until("document.body.dataset.health === 'good'")
    b.until_text("#feeder-note", "epoch 2,")
    is_clean(b, m)


def test_another_pxmon_on_the_same_port_is_found_and_its_button_works(browser, mon, feeder):  # noqa: F811
    m = mon(feeder.bus)
    m.ready(200)
    b = open_page(browser, m)
    b.until("document.body.dataset.health === 'good'")
    m.kill()
    b.until_text("#health-word", "UNKNOWN")
    assert b.js("document.querySelector('#restart').disabled")
    plain = b.js("getComputedStyle(document.querySelector('#growth-card')).backgroundColor")
    assert b.js("getComputedStyle(document.querySelector('#feeder-card')).backgroundColor") == plain, "nothing is green"
    b.shot("pxmon-away")
    again = mon(feeder.bus, listen=f"127.0.0.1:{m.port}")
    b.until("document.querySelector('#link').textContent === 'live'")
    b.until("document.body.dataset.health === 'good'")
    b.click("#restart")
    b.click("#restart-confirm")
    assert b.until(RESTARTED, deadline_s=60) == "good"
    assert stat(feeder.bus)["bus"]["epoch"] == 2 and "restart from the browser" in again.said()


def test_read_only_has_no_button_that_works(browser, mon, feeder):  # noqa: F811
    m = mon(feeder.bus, "--read-only")
    m.ready(200)
    b = open_page(browser, m)
    b.until_text("#health-word", "OK")
    assert b.js("document.querySelector('#restart').disabled")
    assert b.js("document.querySelector('#restart').title") == "this pxmon is read-only"
    is_clean(b, m)


def test_a_token_over_tls_opens_the_page_and_confirms_a_restart(browser, mon, feeder, certificate, tmp_path):  # noqa: F811
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    m = mon(feeder.bus, "--tls-cert", certificate[0], "--tls-key", certificate[1], "--token-file", token)
    b = browser(ignoreHTTPSErrors=True)
    assert b.open(m.origin) == 401
    b.fill("#token", "not-the-token-of-this-test")
    b.press("Enter")
    b.until_text("#said", "the token is not right")
    b.shot("login")
    b.fill("#token", TOKEN)
    b.press("Enter")
    b.until("document.querySelector('#link')?.textContent === 'live'")
    b.until_text("#health-word", "OK")
    b.click("#restart")
    b.fill("#restart-token", "not-the-token-of-this-test")
    b.shot("token-dialog")
    b.click("#restart-confirm")
    b.until_text("#restart-text", "the token is not right")
    assert b.level("#restart-text") == "bad" and stat(feeder.bus)["bus"]["epoch"] == 1
    b.click("#restart")
    assert b.js("document.activeElement.id") == "restart-token"
    b.fill("#restart-token", TOKEN)
    b.press("Enter")
    b.until("document.querySelector('#restart-text').dataset.level === 'good'", deadline_s=60)
    assert stat(feeder.bus)["bus"]["epoch"] == 2
    b.open(m.origin)
    b.until("document.querySelector('#link')?.textContent === 'live'")
