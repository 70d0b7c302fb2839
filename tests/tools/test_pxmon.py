"""pxmon on a real bus: it waits, follows, ends, and refuses what it must not serve."""
import http.client
import os
import signal
import socket

import pytest

from px_tools import BUILD, DEADLINE_S, SHM, STALE, bus_name, tool, until
from px_tools import feeder, new_writer, writer  # noqa: F401  (fixtures)
from pxmon import mon  # noqa: F401  (fixture)

SYMBOL = "binance:BTCUSDT"


def healthy(w):
    w.say(f"bind {SYMBOL}", f"pin {SYMBOL} 2 3", f"quality {SYMBOL} 0 0",
          f"trade {SYMBOL} 61837.63000000 0.02000000")


def refused(*args, code):
    """pxmon must end by itself; its one sentence."""
    done = tool("pxmon", "--db", "/nonexistent/never/made", *args)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    lines = [x for x in done.stderr.splitlines() if "no such bus" not in x]
    assert len(lines) == 1 and lines[0].startswith("pxmon: "), done.stderr
    return lines[0]


def test_it_waits_for_a_bus_that_is_not_there(mon, new_writer):  # noqa: F811
    m = mon(bus_name())
    assert "there is no such bus" in m.ready(503).text
    assert m.ask("/healthz").status == 200
    healthy(new_writer(m.bus))
    m.ready(200, "1 of 1 subscribed symbols are live")


def test_a_bus_that_is_removed_and_comes_again_is_found_again(mon, new_writer):  # noqa: F811
    first = new_writer()
    healthy(first)
    m = mon(first.bus)
    m.ready(200)
    first.kill()
    m.ready(503, "the feeder is gone")
    (SHM / f"px-{first.bus}").unlink()
    m.ready(503, "there is no such bus")
    # of another shape, so that nothing of the first can be mistaken for it
    healthy(new_writer(first.bus, 200, 8192))
    m.ready(200)
    said = [x for x in m.lines() if "the bus is there" in x]
    assert len(said) == 2, m.said()


def test_a_restart_of_the_feeder_is_survived(mon, feeder):  # noqa: F811
    m = mon(feeder.bus)
    m.ready(200)
    assert tool("pxrestart", bus=feeder.bus, timeout=60).returncode == 0
    m.ready(200)
    assert m.process.poll() is None


def test_the_sentence_of_the_judge_is_served(mon, writer):  # noqa: F811
    healthy(writer)
    m = mon(writer.bus)
    m.ready(200)
    writer.say(f"quality {SYMBOL} {STALE} 4")
    assert m.ready(503, f"{SYMBOL} is stale").text.startswith("WARNING: ")
    writer.signal(signal.SIGSTOP)
    assert m.ready(503, "is stopped by a signal").text


def test_the_feeder_goes_first(mon):  # noqa: F811
    """On few cores a monitor that has the same priority would hold it up."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, mon(bus_name()).process.pid) == min(own + 10, 19)


def test_sigterm_and_sigint_end_it_with_exit_0(mon, writer):  # noqa: F811
    for number in (signal.SIGTERM, signal.SIGINT):
        m = mon(writer.bus)
        m.process.send_signal(number)
        assert m.process.wait(DEADLINE_S) == 0


@pytest.mark.parametrize("args", [
    (), ("--tls-cert", "/dev/null", "--tls-key", "/dev/null"), ("--token-file", "/dev/null")])
def test_an_open_address_demands_tls_and_a_token(args):
    for address in ("0.0.0.0:0", "[::]:0", "10.1.2.3:9464"):
        assert "needs --tls-cert, --tls-key and --token-file" in refused("--listen", address, *args,
                                                                         code=2)


def test_usage_is_one_sentence_and_exit_2(tmp_path):
    for args in (("--nonsense",), ("operand",), ("--listen", "9464"), ("--listen", "here:1"),
                 ("--listen", "127.0.0.1:70000"), ("--listen", "::1:9464"),
                 ("--tls-cert", tmp_path / "x")):
        refused(*args, code=2)


def test_files_that_cannot_be_used_are_named(tmp_path):
    short = tmp_path / "token"
    short.write_text("short\n")
    assert str(short) in refused("--token-file", short, code=1)
    assert "nowhere" in refused("--token-file", tmp_path / "nowhere", code=1)
    assert "No such file" in refused("--tls-cert", tmp_path / "a", "--tls-key", tmp_path / "b", code=1)


def test_an_address_in_use_is_one_sentence(mon, tmp_path):  # noqa: F811
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = tool("pxmon", "--listen", f"127.0.0.1:{port}", "--db", tmp_path / "db", bus=bus_name())
    assert done.returncode == 1
    assert f"127.0.0.1:{port}: cannot listen there: Address already in use" in done.stderr


def test_a_foreign_name_for_loopback_is_refused(mon):  # noqa: F811
    m = mon(bus_name())
    assert m.ask("/healthz", Host=f"rebound.example:{m.port}").status == 421
    for name in ("localhost", "127.0.0.1", "[::1]"):
        assert m.ask("/healthz", Host=f"{name}:{m.port}").status == 200


def test_only_its_own_paths_are_served(mon):  # noqa: F811
    m = mon(bus_name())
    for path in ("/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "/a" * 200,
                 "/healthz/", "/healthz/../../etc/passwd"):
        reply = m.ask(path)
        assert reply.status in (400, 403, 404, 405), path
        assert b"root:" not in reply.body


def test_requests_are_bounded(mon):  # noqa: F811
    m = mon(bus_name())
    assert m.ask("/healthz", method="PUT").status == 405
    assert m.ask("/healthz", method="POST").status == 405
    assert m.ask("/healthz", method="POST", Content_Length="5").status == 413
    assert m.ask("/healthz", Content_Length="5").status == 413
    assert m.ask("/healthz", Cookie="a" * 2000).status == 405
    with pytest.raises((ConnectionError, OSError, http.client.HTTPException)):
        m.ask("/healthz", X_Large="a" * 20000)
    assert m.ask("/healthz").status == 200


def test_clients_that_say_nothing_do_not_keep_others_out(mon):  # noqa: F811
    """Those above the bound are closed at once, the others when their time is up."""
    m = mon(bus_name())
    silent = [socket.create_connection((m.host, m.port)) for _ in range(100)]
    try:
        closed = []

        def some_are_closed():
            for s in silent:
                s.setblocking(False)
                try:
                    if s.recv(1) == b"" and s not in closed:
                        closed.append(s)
                except BlockingIOError:
                    pass
                except OSError:
                    closed.append(s)
            return len(closed) >= 30
        until(some_are_closed, "those above the bound are closed")
        until(lambda: answers(m), "the others are timed out", 60)
    finally:
        for s in silent:
            s.close()


def answers(m):
    try:
        return m.ask("/healthz").status == 200
    except (OSError, http.client.HTTPException):
        return False


def test_every_answer_carries_the_policy(mon):  # noqa: F811
    m = mon(bus_name())
    for path in ("/healthz", "/readyz", "/nothing"):
        headers = m.ask(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_the_memory_of_pxmon_stays_flat_over_a_thousand_requests(mon, writer):  # noqa: F811
    if "PX_SANITIZE:STRING=\n" not in (BUILD / "CMakeCache.txt").read_text(encoding="utf-8"):
        pytest.skip("a sanitizer keeps what was freed")
    healthy(writer)
    m = mon(writer.bus)
    m.ready(200)

    def resident():
        with open(f"/proc/{m.process.pid}/status", encoding="ascii") as f:
            return next(int(x.split()[1]) for x in f if x.startswith("VmRSS"))

    for _ in range(200):
        m.ask("/readyz")
    before = resident()
    for _ in range(1000):
        m.ask("/readyz")
    assert resident() - before < 512, "KiB"
