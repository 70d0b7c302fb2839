"""Alerts of pxmon: a command that is run and a receiver that is posted to, on real changes of level."""
import http.server
import json
import os
import socket
import sqlite3
import ssl
import subprocess
import threading

import pytest

from px_tools import BUILD, STALE, bus_name, tool, until
from px_tools import writer  # noqa: F401  (fixture)
from pxmon import mon  # noqa: F401  (fixture)

SYMBOL = "binance:BTCUSDT"
SLOW = {**os.environ, "LD_PRELOAD": str(BUILD / "tests" / "libslow_names.so")}


class Receiver:
    """A webhook's other end. `statuses`: what to answer, in turn; then 200. `chain`: paths of a
    certificate and its key, for https."""

    def __init__(self, chain=None, family=socket.AF_INET):
        self.got, self.statuses = [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.got.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(outer.statuses.pop(0) if outer.statuses else 200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            address_family = family

        self.server = Server(("127.0.0.1" if family == socket.AF_INET else "::1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?to=me"
        if chain is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*chain)
            # the handshake is made by the thread that reads the request, and may fail there
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
            self.server.handle_error = lambda *_: None
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def kinds(self):
        return [(x["kind"], x["level"]) for _, _, x in self.got]

    def end(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver():
    r = Receiver()
    yield r
    r.end()


def healthy(w):
    w.say(f"bind {SYMBOL}", f"pin {SYMBOL} 2 3", f"quality {SYMBOL} 0 0", f"trade {SYMBOL} 1.0 2.0")


def test_a_change_is_posted_with_its_sentence(mon, writer, receiver):  # noqa: F811
    healthy(writer)
    m = mon(writer.bus, "--alert-url", receiver.url, "--alert-interval", "1")
    m.ready(200)
    writer.say(f"quality {SYMBOL} {STALE} 4")
    until(lambda: receiver.got, m.said)
    path, headers, body = receiver.got[0]
    assert path == "/hook?to=me" and headers["content-type"] == "application/json"
    assert body["bus"] == writer.bus and body["time"] > 1600000000
    assert (body["kind"], body["level"], body["before"]) == ("staleness", "warning", "ok")
    assert f"{SYMBOL} is stale" in body["text"]
    writer.say(f"quality {SYMBOL} 0 0")
    until(lambda: ("staleness", "ok") in receiver.kinds(), m.said)


def test_the_command_gets_the_json_and_the_words(mon, writer, tmp_path):  # noqa: F811
    healthy(writer)
    out = tmp_path / "told"
    command = f'{{ cat; echo "$PX_ALERT_BUS $PX_ALERT_KIND $PX_ALERT_LEVEL $PX_ALERT_TEXT"; }} > {out}.new && mv {out}.new {out}'
    m = mon(writer.bus, "--alert-command", command)
    m.ready(200)
    writer.kill()
    until(out.exists, m.said)
    line, words = out.read_text(encoding="utf-8").splitlines()
    body = json.loads(line)
    assert (body["kind"], body["level"]) == ("feeder", "critical") and "the feeder is gone" in body["text"]
    assert words == f"{writer.bus} feeder critical {body['text']}"


def test_each_kind_is_told(mon, writer, receiver):  # noqa: F811
    healthy(writer)
    writer.say("reader 0 42 slow 1 0 0", "conn 0 binance ws://x 6 0 1 fine")
    m = mon(writer.bus, "--alert-url", receiver.url)
    m.ready(200)
    writer.say("conn 0 binance ws://x 8 1 1 HTTP 429", "reader 0 42 slow 1 0 77",
               "verdict 2 0 90000000 990000 2 7200", f"quality {SYMBOL} {STALE} 4")
    wanted = {("breaker", "warning"), ("loss", "warning"), ("growth", "critical"), ("staleness", "warning")}
    until(lambda: wanted <= set(receiver.kinds()), lambda: f"{receiver.kinds()}\n{m.said()}")
    writer.kill()
    until(lambda: ("feeder", "critical") in receiver.kinds(), m.said)
    # once each: the interval is a minute
    assert len(receiver.got) == len(set(receiver.kinds()))


def test_a_receiver_that_fails_is_asked_again(mon, receiver):  # noqa: F811
    receiver.statuses = [500, 503]
    m = mon(bus_name(), "--alert-url", receiver.url)
    until(lambda: len(receiver.got) == 3, m.said)
    assert len({json.dumps(b) for _, _, b in receiver.got}) == 1
    assert "not taken" not in m.said()


def test_a_receiver_that_is_not_there_is_said_and_harms_nothing(mon):  # noqa: F811
    m = mon(bus_name(), "--alert-url", "http://127.0.0.1:9/hook")
    until(lambda: "the alert is not taken" in m.said(), m.said, 40)
    assert m.ask("/healthz").status == 200


def test_a_name_that_is_resolved_late_holds_nothing_up(mon):  # noqa: F811
    """The look-up takes longer than this test."""
    m = mon(bus_name(), "--alert-url", "http://slow-name.test:9/hook", env={**SLOW, "SLOW_NAMES_MS": "60000"})
    until(lambda: "alert: feeder critical" in m.said(), m.said)

    def row():
        return json.loads(m.ask("/api/state").text)["row"][0]
    before = row()
    until(lambda: row() >= before + 3, "three more rows")
    assert m.stop() == 0


def test_a_name_that_is_resolved_late_is_posted_to_under_its_name(mon, receiver):  # noqa: F811
    m = mon(bus_name(), "--alert-url", f"http://slow-name.test:{receiver.port}/hook",
            env={**SLOW, "SLOW_NAMES_MS": "700"})
    until(lambda: receiver.got, m.said)
    assert receiver.got[0][1]["Host"] == f"slow-name.test:{receiver.port}"


def test_each_address_of_a_name_is_tried(mon, receiver):  # noqa: F811
    """Nobody listens at the first, ::1."""
    m = mon(bus_name(), "--alert-url", f"http://both-name.test:{receiver.port}/hook", env=SLOW)
    until(lambda: receiver.got, m.said)


def test_a_receiver_may_have_an_ipv6_address(mon):  # noqa: F811
    """Also when pxmon itself listens on an IPv4 one."""
    try:
        r = Receiver(family=socket.AF_INET6)
    except OSError:
        pytest.skip("there is no ::1 here")
    try:
        m = mon(bus_name(), "--alert-url", f"http://[::1]:{r.port}/hook")
        until(lambda: r.got, m.said)
        assert r.got[0][1]["Host"] == f"[::1]:{r.port}"
    finally:
        r.end()


def test_a_name_that_is_not_known_is_said(mon):  # noqa: F811
    m = mon(bus_name(), "--alert-url", "http://fails-always.test:9/hook", env=SLOW)
    until(lambda: "the alert is not taken: its name cannot be resolved: " in m.said(), m.said, 40)


@pytest.fixture
def issue(tmp_path):
    """Make a certificate for a name, signed by the authority of this test or by itself."""
    def openssl(*args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)

    def make(name, signed=True):
        key, cert = tmp_path / f"{name}.key", tmp_path / f"{name}.pem"
        by = ["-CA", tmp_path / "ca.pem", "-CAkey", tmp_path / "ca.key"] if signed else []
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-addext", f"subjectAltName=DNS:{name}", "-addext", "basicConstraints=critical,CA:FALSE",
                "-keyout", key, "-out", cert, *by)
        return cert, key

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=authority of a test",
            "-keyout", tmp_path / "ca.key", "-out", tmp_path / "ca.pem")
    make.trust = {**os.environ, "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    return make


@pytest.fixture
def secure_receiver():
    made = []

    def make(chain):
        made.append(Receiver(chain))
        return made[-1]

    yield make
    for one in made:
        one.end()


def test_a_receiver_with_a_certificate_of_a_trusted_authority_is_told(mon, secure_receiver, issue):  # noqa: F811
    r = secure_receiver(issue("localhost"))
    m = mon(bus_name(), "--alert-url", f"https://localhost:{r.port}/hook", env=issue.trust)
    until(lambda: r.got, m.said)
    assert r.kinds() == [("feeder", "critical")] and "not taken" not in m.said()


@pytest.mark.parametrize("name, signed, words", [
    ("other.example", True, "hostname mismatch"), ("localhost", False, "self")])
def test_a_receiver_that_cannot_prove_its_name_is_told_nothing(mon, secure_receiver, issue, name, signed, words):  # noqa: F811
    r = secure_receiver(issue(name, signed))
    m = mon(bus_name(), "--alert-url", f"https://localhost:{r.port}/hook", env=issue.trust)
    until(lambda: "the alert is not taken: " in m.said(), m.said, 40)
    said = next(x for x in m.lines() if "the alert is not taken: " in x)
    assert words in said.lower() and r.got == [], said


def test_a_command_that_fails_is_said(mon):  # noqa: F811
    m = mon(bus_name(), "--alert-command", "exit 3")
    until(lambda: "alert-command: ended with 3" in m.said(), m.said)


def test_alerts_are_in_the_history(mon):  # noqa: F811
    m = mon(bus_name())

    def events():
        connection = sqlite3.connect(f"file:{m.db}?mode=ro", uri=True, timeout=20)
        try:
            return connection.execute("SELECT bus, kind, level, before, text FROM event").fetchall()
        finally:
            connection.close()
    found = until(events, m.said)
    assert found[0][:4] == (m.bus, "feeder", "critical", "ok") and "no such bus" in found[0][4]


def test_an_address_that_cannot_be_posted_to_is_usage():
    for url in ("ftp://x/", "nothing", "http://", "/path", ""):
        done = tool("pxmon", "--alert-url", url, bus=bus_name())
        assert done.returncode == 2, url
