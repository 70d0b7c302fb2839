"""The feeder and every tool end without a block of memory that is theirs: valgrind counts even those
that somebody still points to, but for what tests/valgrind.supp names with its reason. What OpenSSL and
libwebsockets took is within the feeder's own pools, which valgrind cannot look into: the feeder says
itself what they still hold."""
import http.client
import os
import pty
import re
import subprocess

import pytest

from px import PATIENCE_S, SOURCE, Process, Sim, program, run, wait_for
from px import bus, certificates  # noqa: F401  (fixtures)

BTC, XBT = "binance:BTCUSDT", "kraken:BTC/USD"
LEAKED = 99
# valgrind takes twenty times as long, on a machine that has other work as well
SLOW_S = 5 * PATIENCE_S
# valgrind is slow: as little as can be of what takes time by its size
SMALL = {"capacity": 64, "ring": 4096, "max_message_kb": 256, "books": 8, "log_level": "debug"}
REST = r"held at the end: (\d+) blocks by tls, (\d+) by websocket, (\d+) by json"


@pytest.fixture
def grind(tmp_path):
    """What to put before a command; the reports are empty unless something is wrong."""
    yield ["valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=all",
           "--errors-for-leak-kinds=all", f"--error-exitcode={LEAKED}", "--trace-children=yes",
           "--num-callers=16", f"--suppressions={SOURCE}/tests/valgrind.supp",
           f"--log-file={tmp_path}/valgrind.%p"]


def reports(tmp_path):
    return "".join(p.read_text() for p in tmp_path.glob("valgrind.*"))


def check(tmp_path, code, wanted=0):
    assert code == wanted and reports(tmp_path) == "", (code, reports(tmp_path))


def live_through_it_all(bus, certificates, end, **options):  # noqa: F811
    """Traffic with and without TLS, a reader that comes and goes, lost connections, a restart."""
    with Sim(rate=50) as plain, Sim("kraken", certificates, rate=50) as tls:
        feeder = bus.feeder(BTC, XBT, "--endpoint", f"kraken={tls.url}", endpoint=plain.url,
                            tls_ca=certificates.ca, ready=False, **SMALL, **options)
        all_live(bus)
        bus.tail(BTC, XBT, "binance:ETHUSDT", n=20, timeout=SLOW_S)
        plain.kill()
        tls.kill()
        with Sim(rate=50, port=plain.port), Sim("kraken", certificates, tls.port, rate=50):
            wait_for(lambda: bus.counter("reconnects") >= 2, SLOW_S, "both connections again")
            bus.tail(BTC, XBT, n=20, timeout=SLOW_S)
            done = run("pxrestart", "-b", bus.name, "--timeout", SLOW_S, timeout=SLOW_S)
            assert done.returncode == 0, done.stderr
            bus.tail(BTC, XBT, n=20, timeout=SLOW_S)
            assert feeder.stop(timeout=SLOW_S) == end
    return feeder


def all_live(bus):  # noqa: F811
    for venue in ("binance", "kraken"):
        bus.wait_live(venue, SLOW_S)


def test_the_feeder_gives_back_all_that_it_took(bus, tmp_path, certificates, grind):  # noqa: F811
    live_through_it_all(bus, certificates, 0, wrap=grind)
    check(tmp_path, 0)


def test_valgrind_sees_what_a_feeder_leaks(bus, tmp_path, grind):  # noqa: F811
    with Sim(rate=50) as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url, wrap=grind, ready=False, test_leak="feeder:64",
                            test_watch_scale=100, **SMALL)
        bus.wait_live(deadline_s=SLOW_S)
        bus.tail(BTC, n=20, timeout=SLOW_S)
        assert feeder.stop(timeout=SLOW_S) == LEAKED
    assert "definitely lost" in reports(tmp_path) and "leak_block" in reports(tmp_path)


def test_libraries_give_back_all_that_they_took_at_the_end_and_before_a_restart(
        bus, certificates):  # noqa: F811
    idle = bus.feeder(**SMALL)
    assert idle.stop() == 0
    least = re.findall(REST, idle.err())
    assert len(least) == 1 and least[0][:2] == ("0", "0")  # what is left is simdjson's own names
    lived = live_through_it_all(bus, certificates, 0)
    assert re.findall(REST, lived.err()) == 2 * least


def test_a_leak_within_the_pools_is_seen(bus, certificates):  # noqa: F811
    for owner, place in (("tls", 0), ("websocket", 1), ("json", 2)):
        feeder = live_through_it_all(bus, certificates, 0, test_leak=f"{owner}:64",
                                      test_watch_scale=100)
        before, after = re.findall(REST, feeder.err())
        assert int(before[place]) >= 20 and int(after[place]) >= 20


def ground(tmp_path, grind, name, *args, stdin=None):
    done = subprocess.run([*grind, program(name), *map(str, args)], input=stdin, capture_output=True,
                          text=True, timeout=SLOW_S, check=False)
    check(tmp_path, done.returncode)
    return done.stdout


@pytest.fixture
def fed(bus):  # noqa: F811
    with Sim(rate=50) as sim:
        bus.feeder(BTC, endpoint=sim.url, **SMALL)
        bus.wait_live()
        bus.tail_process(BTC)
        yield bus


def watch(grind, bus):  # noqa: F811
    """pxstat --watch on a terminal, until q."""
    terminal, end = pty.openpty()
    with subprocess.Popen([*grind, program("pxstat"), "-b", bus.name, "--watch", "0.1"], stdin=end,
                          stdout=end, stderr=end, env={**os.environ, "TERM": "xterm"}) as process:
        os.close(end)
        shown = b""
        while BTC.encode() not in shown:
            shown += os.read(terminal, 4096)
        os.write(terminal, b"q")
        while True:
            try:
                if not os.read(terminal, 4096):
                    break
            except OSError:  # nobody has it open any more
                break
    os.close(terminal)
    return process.returncode


def test_pxstat_gives_back_all_that_it_took(fed, tmp_path, grind):
    sections = [f"--{s}" for s in ("memory", "connections", "subscriptions", "readers", "symbols",
                                   "latency", "errors", "counters")]
    assert BTC in ground(tmp_path, grind, "pxstat", "-b", fed.name, *sections)
    assert BTC in ground(tmp_path, grind, "pxstat", "-b", fed.name)
    ground(tmp_path, grind, "pxstat", "-b", fed.name, "--json")
    ground(tmp_path, grind, "pxstat", "-b", fed.name, "--explain")
    check(tmp_path, watch(grind, fed))


def test_pxtail_and_pxdecode_give_back_all_that_they_took(fed, tmp_path, grind):
    assert ground(tmp_path, grind, "pxtail", "-b", fed.name, "-n", 20, "--json", BTC)
    assert ground(tmp_path, grind, "pxtail", "-b", fed.name, "--snapshot", "--all")
    for venue, mode in (("binance", "--json"), ("kraken", "--book")):
        frames = (SOURCE / "tests" / "frames" / f"{venue}.frames").read_text()
        ground(tmp_path, grind, "pxdecode", "--venue", venue, mode, stdin=frames)


def test_pxrestart_gives_back_all_that_it_took(fed, tmp_path, grind):
    assert "epoch" in ground(tmp_path, grind, "pxrestart", "-b", fed.name, "--timeout", SLOW_S)


def test_pxmon_gives_back_all_that_it_took(fed, tmp_path, grind):
    database = tmp_path / "history.db"
    with Process([*grind, program("pxmon"), "-b", fed.name, "--listen", "127.0.0.1:0", "--db",
                  database], tmp_path, "pxmon") as mon:
        port = int(wait_for(lambda: re.search(r":(\d+)\n", mon.out()), SLOW_S,
                            "pxmon listening")[1])

        def ask(path):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SLOW_S)
            connection.request("GET", path)
            status, body = (r := connection.getresponse()).status, r.read()
            connection.close()
            return status, body
        wait_for(lambda: ask("/readyz")[0] == 200, SLOW_S, "the bus")
        for path in ("/", "/app.js", "/metrics", "/healthz", "/api/state", "/nothing"):
            ask(path)
        history = ("pxstat", "-b", fed.name, "--history", "1m", "--db", database)
        wait_for(lambda: run(*history).returncode == 0, SLOW_S, "a row of the history")
        check(tmp_path, mon.stop(timeout=SLOW_S))
    ground(tmp_path, grind, *history)


def test_pxsim_gives_back_all_that_it_took(bus, tmp_path, certificates, grind):  # noqa: F811
    for tls in (None, certificates):
        with Sim(tls=tls, rate=50, wrap=grind) as sim:
            feeder = bus.feeder(BTC, endpoint=sim.url, tls_ca=certificates.ca, **SMALL)
            bus.tail(BTC, n=20, timeout=SLOW_S)
            feeder.stop()
            check(tmp_path, sim.stop(timeout=SLOW_S))
