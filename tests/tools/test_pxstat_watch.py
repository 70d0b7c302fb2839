"""pxstat --watch on a terminal: what it shows of a bus that is healthy, degraded or down, and what its
keys do. The captures are kept in build/captures."""
import os
import re
import signal
from pathlib import Path

import pytest

from px_tools import BIN, BUILD, CONN_LIVE, GAP, LIVE, SHM, STALE, remove, stat, until
from px_tools import feeder, new_writer, tail, writer  # noqa: F401  (fixtures)
from screen import Screen

SYMBOL = "binance:BTCUSDT"
SIZES = [(80, 24), (200, 50)]
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
SANITIZED = "asan" in BUILD.name or "tsan" in BUILD.name


@pytest.fixture
def watch():
    """pxstat --watch on a bus, on a terminal."""
    screens = []

    def make(bus, *args, interval="0.1", **how):
        command = f"{BIN / 'pxstat'} -b {bus} --watch {interval} {' '.join(args)}"
        screens.append(Screen(command, **how))
        return screens[-1]

    yield make
    for screen in screens:
        screen.end()


def healthy(w, symbols=(SYMBOL,)):
    for name in symbols:
        w.say(f"bind {name}", f"pin {name} 2 3", f"quality {name} {LIVE} 0",
              f"trade {name} 61837.63000000 0.02000000")


def fits(screen, columns, rows):
    lines = screen.lines()
    assert len(lines) <= rows and max(map(len, lines)) <= columns, "\n".join(lines)


def kill_exchange(feeder, venue):
    for pid in feeder.exchanges():
        if venue in Path(f"/proc/{pid}/cmdline").read_text(encoding="ascii").split("\0"):
            os.kill(pid, signal.SIGKILL)
            return
    pytest.fail(f"no exchange {venue}")


@pytest.mark.parametrize("columns,rows", SIZES)
def test_a_healthy_bus_shows_all_panes(feeder, tail, watch, columns, rows):
    tail(feeder.bus, SYMBOL)
    screen = watch(feeder.bus, columns=columns, rows=rows)
    text = screen.await_text(r"OK: \d+ of \d+ subscribed symbols are live", r"memory +\d+\.\d MiB",
                             r"binance +live +closed +\d", rf"{SYMBOL} +live +\d", r"pxtail +\d+ +1 ",
                             r"ticks +[\d,]+, [1-9][\d,]*/s", r"q quit")
    assert f"bus {feeder.bus}  live  epoch 1" in text.splitlines()[0]
    fits(screen, columns, rows)
    assert "\x1b[32m" in screen.coloured()  # green
    # by now, memory was sampled more than once
    screen.await_text(r"level ok +[▁▂▃▄▅▆▇█]{2}")
    screen.save(f"healthy-{columns}x{rows}")


@pytest.mark.parametrize("columns,rows", SIZES)
def test_a_degraded_bus_shows_what_ails_first(feeder, tail, watch, columns, rows):
    tail(feeder.bus, "kraken:BTC/USD")
    screen = watch(feeder.bus, columns=columns, rows=rows)
    screen.await_text("OK: ", r"memory +\d+\.\d MiB")
    kill_exchange(feeder, "kraken")
    text = screen.await_text("WARNING: ", r"kraken:BTC/USD +stale", "connection +[1-9]",
                             r"kraken +(waiting|connecting) .*(next in|[Rr]efused|cannot connect)")
    lines = text.splitlines()
    first = {title: next(line for line, above in zip(lines[1:], lines) if title in above)
             for title in ("CONNECTION", "SYMBOL")}
    assert "kraken" in first["CONNECTION"] and "kraken:" in first["SYMBOL"]
    fits(screen, columns, rows)
    assert COLOUR.search(screen.coloured())
    screen.save(f"degraded-{columns}x{rows}")


@pytest.mark.parametrize("columns,rows", SIZES)
def test_a_dead_feeder_is_told_and_its_successor_found(feeder, tail, watch, columns, rows):
    tail(feeder.bus, SYMBOL)
    screen = watch(feeder.bus, columns=columns, rows=rows)
    screen.await_text("OK: ", "pxtail")
    feeder.process.kill()
    feeder.process.wait()
    screen.await_text("CRITICAL: the feeder is gone: pid", "  gone  epoch 1", rf"{SYMBOL} +stale")
    fits(screen, columns, rows)
    screen.save(f"down-{columns}x{rows}")
    feeder.start()
    screen.await_text("OK: ", "  live  epoch 2", r"ticks +[\d,]+, [1-9][\d,]*/s")


def test_a_stopped_feeder_is_told_from_a_dead_one(writer, watch):
    healthy(writer)
    screen = watch(writer.bus)
    screen.await_text("OK: 1 of 1")
    writer.signal(signal.SIGSTOP)
    screen.await_text(r"(?s)no sign of life for .* is\s+stopped\s+by\s+a\s+signal", "  stalled  ")
    screen.save("stopped-80x24")
    writer.signal(signal.SIGCONT)
    screen.await_text("OK: 1 of 1")


def test_a_gap_and_a_breaker_are_in_words_and_colour(writer, watch):
    healthy(writer)
    screen = watch(writer.bus)
    screen.await_text("OK: 1 of 1")
    writer.say(f"quality {SYMBOL} {GAP} 9",
               "conn 0 kraken wss://x:9443 8 1 7 HTTP 429, retry after 60 s")
    screen.await_text("WARNING: .*missing ticks", rf"{SYMBOL} +gap", r"kraken +waiting +open +HTTP 429")
    assert "\x1b[33m" in screen.coloured() and "\x1b[1m\x1b[31m" in screen.coloured()


def test_a_reader_that_loses_ticks_is_counted_by_the_second(writer, watch):
    healthy(writer)
    screen = watch(writer.bus, interval="0.5")
    writer.say("reader 0 5151 slow 1 7 0")
    screen.await_text(r"slow +5151 +1 +7 +0 +0\.0")
    writer.say("reader 0 5151 slow 1 4000 900")
    screen.await_text(r"slow +5151 +1 +4000 +900 +[1-9]\d+")


def order(screen):
    return re.findall(r"^(?:binance|kraken|okx):(\w+) ", screen.text(), re.M)


def test_s_sorts_and_slash_filters(writer, watch):
    names = ("binance:AAA", "kraken:BBB", "okx:CCC")
    healthy(writer, names)
    writer.say("quality okx:CCC 4 4")
    screen = watch(writer.bus)
    until(lambda: order(screen) == ["CCC", "AAA", "BBB"], screen.text)  # the worst first
    writer.say("stream kraken:BBB 500")
    screen.keys("s")
    until(lambda: order(screen)[:1] == ["BBB"], screen.text)
    screen.await_text("TICKS/S▼")
    screen.keys("S")
    until(lambda: order(screen)[-1:] == ["BBB"], screen.text)
    screen.await_text("TICKS/S▲")
    screen.keys("/", "k", "r", "a")
    until(lambda: order(screen) == ["BBB"], screen.text)
    screen.await_text("filter: kra_", r'filter "kra" \(of 3\)')
    screen.keys("Escape")
    until(lambda: sorted(order(screen)) == ["AAA", "BBB", "CCC"], screen.text)
    screen.await_text("q quit")


def test_tab_and_digits_show_one_pane_alone_and_arrows_scroll(new_writer, watch):
    writer = new_writer(capacity=300)
    healthy(writer, [f"binance:S{i:03}" for i in range(200)])
    writer.say(f"conn 0 binance wss://x:9443 {CONN_LIVE} 0 12345", "error bad_frame words of an error")
    screen = watch(writer.bus)
    screen.await_text("S000", "bad_frame", "binance +live")
    screen.keys("5")
    until(lambda: "bad_frame" in screen.text() and "S000" not in screen.text(), screen.text)
    screen.keys("Tab", "Tab")
    screen.await_text("binance +live +closed")
    assert "bad_frame" not in screen.text()
    screen.keys("3")
    screen.await_text("1 to 16 of 200 symbols")
    screen.keys("NPage", "Down")
    screen.await_text("17 to 32 of 200 symbols")
    screen.keys("End")
    screen.await_text("185 to 200 of 200 symbols", "S199")
    screen.keys("Home")
    screen.await_text("1 to 16 of 200 symbols")


def test_help_lies_over_the_panes_until_a_key(writer, watch):
    healthy(writer)
    screen = watch(writer.bus)
    screen.await_text("OK: 1 of 1")
    screen.keys("?")
    text = screen.await_text("restart the feeder; asks before it does", "--explain")
    assert "~" not in text
    screen.save("help-80x24")
    screen.keys("x")
    until(lambda: "--explain" not in screen.text() and SYMBOL in screen.text(), screen.text)


def test_a_pause_stands_still_and_the_keys_work_on(writer, watch):
    healthy(writer)
    screen = watch(writer.bus)
    ticks = stat(writer.bus)["bus"]["sequence"]
    screen.await_text(f"ticks +{ticks}, ")
    screen.keys("p")
    screen.await_text("PAUSED")
    writer.say(f"burst {SYMBOL} 100")
    screen.keys("/", "b")
    screen.await_text("filter: b_", f"ticks +{ticks}, ")
    screen.keys("Enter", " ")
    screen.await_text(f"ticks +{ticks + 100}, ", "each 0.1 s")
    screen.keys("+", "+")
    screen.await_text("each 0.5 s")


def test_a_restart_asks_first_and_shows_blackout_and_new_epoch(feeder, tail, watch):
    t = tail(feeder.bus, SYMBOL)
    until(lambda: t.find(kind="trade"), "prices")
    screen = watch(feeder.bus)
    screen.await_text("OK: ", "epoch 1")
    screen.keys("r")
    screen.await_text(rf"Restart the feeder of bus {feeder.bus}\?", rf"pid {feeder.process.pid}, epoch 1")
    screen.save("restart-question-80x24")
    screen.keys("n")
    until(lambda: "Restart the feeder" not in screen.text(), screen.text)
    assert stat(feeder.bus)["bus"]["epoch"] == 1
    screen.keys("r", "y")
    screen.await_text("done after", r"epoch 1 -> 2", r"blackout +[\d.]+ ms", "  live  epoch 2")
    screen.save("restart-done-80x24")
    screen.keys("x")
    until(lambda: "done after" not in screen.text(), screen.text)
    assert stat(feeder.bus)["bus"]["epoch"] == 2
    count = len(t.lines())
    until(lambda: len(t.lines()) > count + 3, "the reader goes on")


def test_a_restart_that_fails_says_so_in_one_line(writer, watch):
    healthy(writer)
    screen = watch(writer.bus)
    screen.await_text("OK: 1 of 1")
    screen.keys("r", "y", "x")  # its end is shown, whatever was put away
    screen.await_text("failed after", f"pxrestart: {writer.bus}: this bus has no control socket")
    screen.keys("x", "q")
    screen.await_text("ended 0")


def test_no_size_leaves_garbage(writer, watch):
    healthy(writer)
    writer.say(f"conn 0 binance wss://x:9443 {CONN_LIVE} 0 12345", "reader 0 5151 pxtail 1 7 9")
    screen = watch(writer.bus)
    screen.await_text("OK: 1 of 1", "pxtail")
    for columns, rows in ((20, 5), (200, 50), (60, 12), (10, 3), (120, 8), (80, 24)):
        screen.resize(columns, rows)
        until(lambda c=columns: len(screen.lines()[0].rstrip()) <= c and
              screen.lines()[0].startswith("bus "), screen.text)
        until(lambda r=rows: r < 4 or screen.lines()[r - 1].startswith("Tab"), screen.text)
        fits(screen, columns, rows)
    text = screen.await_text(f"{SYMBOL} +live", "pxtail")
    for once in ("bus ", "OK: ", "CONNECTION", "SYMBOL", "READER ", "q quit"):
        assert text.count(once) == 1, text


@pytest.mark.parametrize("env", ["NO_COLOR=1 TERM=screen-256color", "TERM=vt100"])
def test_without_colour_words_and_attributes_say_it(writer, watch, env):
    healthy(writer)
    writer.say(f"quality {SYMBOL} {STALE} 4")
    screen = watch(writer.bus, env=f"{env} LC_ALL=C.UTF-8")
    screen.await_text("WARNING: ", rf"{SYMBOL} +stale")
    coloured = screen.coloured()
    assert not COLOUR.search(coloured)
    assert "\x1b[1m" in coloured and "\x1b[7m" in coloured


def test_a_plain_locale_gets_ascii_only(writer, watch):
    healthy(writer)
    for rss in (9 << 20, 12 << 20, 15 << 20):
        writer.say(f"memory {rss} 1310720", f"text {SYMBOL} words \u20ac")
    writer.say(f"quality {SYMBOL} {STALE} 4")
    screen = watch(writer.bus, env="TERM=screen-256color LC_ALL=C", columns=120)
    text = screen.await_text(r"level ok +\.:#", r"words \?")
    assert text.isascii()


@pytest.mark.parametrize("term", ["dumb", "nonsense", ""])
def test_a_terminal_that_nobody_knows_gets_plain_screens(writer, watch, term):
    healthy(writer)
    screen = watch(writer.bus, env=f"TERM={term}", interval="0.5")
    screen.await_text("heartbeat +.* ago")
    assert screen.variable("alternate_on") == "0"
    screen.keys("C-c")
    screen.await_text("ended 0")


@pytest.mark.parametrize("how", ["q", "C-c", signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_as_it_was_after_the_end(writer, watch, how):
    healthy(writer)
    writer.say(f"quality {SYMBOL} {STALE} 4")
    screen = watch(writer.bus)
    screen.await_text("WARNING: ")
    assert screen.variable("alternate_on") == "1" and screen.variable("cursor_flag") == "0"
    if isinstance(how, str):
        screen.keys(how)
    else:
        os.kill(screen.pid(), how)
    screen.await_text("ended 1", r"[^-]icanon", r"[^-]echo ")
    assert screen.variable("alternate_on") == "0" and screen.variable("cursor_flag") == "1"


def test_the_terminal_is_as_it_was_after_a_crash(writer, watch):
    healthy(writer)
    screen = watch(writer.bus)
    screen.await_text("OK: ")
    # a segment that somebody cuts off is a fault in whoever has mapped it; its writer is spared that
    writer.kill()
    os.truncate(SHM / f"px-{writer.bus}", 0)
    screen.await_text("ended 13[5-9]|ended [1-9]", r"[^-]icanon", r"[^-]echo ")
    assert screen.variable("alternate_on") == "0" and screen.variable("cursor_flag") == "1"


def test_the_terminal_is_as_it_was_after_a_quit_signal(writer, watch):
    healthy(writer)
    screen = watch(writer.bus)
    screen.await_text("OK: ")
    screen.keys("C-\\")
    screen.await_text("ended 131", r"[^-]icanon", r"[^-]echo ")
    assert screen.variable("alternate_on") == "0" and screen.variable("cursor_flag") == "1"


def test_it_stops_and_goes_on_with_its_terminal(writer):
    healthy(writer)
    screen = Screen("bash --norc --noprofile")
    try:
        screen.await_text(r"[$#]\s*$")
        screen.keys(f"{BIN / 'pxstat'} -b {writer.bus} --watch 0.1", "Enter")
        screen.await_text("OK: 1 of 1", "q quit")
        screen.keys("C-z")
        screen.await_text("Stopped")
        assert screen.variable("alternate_on") == "0"
        screen.keys("fg", "Enter")
        screen.await_text("OK: 1 of 1", "q quit")
        writer.say(f"quality {SYMBOL} {STALE} 4")
        screen.await_text("WARNING")
        screen.keys("q")
        screen.await_text(r"[$#]\s*$")
    finally:
        screen.end()


def test_a_bus_that_goes_is_waited_for_and_found_in_another_shape(writer, new_writer, watch):
    healthy(writer)
    screen = watch(writer.bus)
    screen.await_text("OK: 1 of 1", "slots 1 of 100,")
    writer.close()
    screen.await_text("CRITICAL: the feeder ended in order")
    remove(writer.bus)
    screen.await_text("UNKNOWN: there is no such bus", f"bus {writer.bus}  absent", "looked for")
    screen.save("absent-80x24")
    again = new_writer(bus=writer.bus, capacity=200)
    healthy(again, (SYMBOL, "kraken:BTC/USD"))
    screen.await_text("OK: 2 of 2", "slots 2 of 200,")
    screen.keys("q")
    screen.await_text("ended 0")


def test_a_feeder_of_another_shape_takes_over_while_it_is_watched(writer, new_writer, watch):
    healthy(writer)
    screen = watch(writer.bus)
    screen.await_text("slots 1 of 100,")
    writer.kill()
    again = new_writer(bus=writer.bus, capacity=300, ring=8192)
    healthy(again)
    screen.await_text("OK: 1 of 1", "epoch 2", "slots 1 of 300,")


def test_sections_are_shown_in_full_and_scroll(new_writer, watch):
    writer = new_writer(capacity=100)
    healthy(writer, [f"binance:S{i:03}" for i in range(60)])
    screen = watch(writer.bus, "--symbols", "--errors")
    screen.await_text("OK: 60 of 60", "S000", "arrows scroll")
    screen.keys("End")
    screen.await_text("S059", "error +count +last", "none")
    assert "S000" not in screen.text()


def test_watching_asks_the_feeder_for_nothing(feeder, watch):
    def asked():
        counters = stat(feeder.bus)["counters"]
        return [counters[n] for n in ("control_messages", "readers_attached")]

    before = asked()
    screen = watch(feeder.bus)
    screen.await_text("OK: ")
    screen.keys("2", "3", "s", "?", "x", "r", "n")
    screen.await_text("1 to ")
    first = stat(feeder.bus)["bus"]["sequence"]
    until(lambda: stat(feeder.bus)["bus"]["sequence"] > first + 500, "some time passes")
    assert asked() == before


def test_memory_of_the_screen_stays_flat_over_two_thousand_redraws(new_writer, watch):
    if SANITIZED:
        pytest.skip("a sanitizer keeps what was freed")
    writer = new_writer(capacity=1000)
    healthy(writer, [f"binance:S{i:03}" for i in range(300)])
    writer.say("stream binance:S000 1000", "memory 9437184 1310720")
    screen = watch(writer.bus, interval="0.003")
    screen.await_text("OK: ")
    pid = screen.pid()

    def status(name):
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        return int(re.search(rf"^{name}:\s+(\d+)", text, re.M)[1])

    def redraws():  # each waits once
        return status("voluntary_ctxt_switches")

    until(lambda: redraws() > 300, redraws)
    resident, start = status("VmRSS"), redraws()
    until(lambda: redraws() > start + 2000, redraws, 60)
    assert status("VmRSS") <= resident + 256, (resident, status("VmRSS"))
    screen.keys("q")
    screen.await_text("ended 0")


def test_it_ends_when_its_terminal_goes(writer, watch):
    if SANITIZED:
        pytest.skip("the leak check of a sanitizer hangs in a process group without a session")
    healthy(writer)
    screen = watch(writer.bus, interval="30")
    screen.await_text("OK: ")
    pid = screen.pid()
    screen.hang_up()
    until(lambda: not Path(f"/proc/{pid}").exists(), "it has ended")
