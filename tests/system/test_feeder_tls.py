"""How TLS fails: each failure is one sentence, is tried again with back-off, and is over as soon as the
venue is right; meanwhile readers see that prices are stale. Before and after, prices flow."""
import re
import subprocess
import threading
from types import SimpleNamespace

import pytest

from faulty_venue import FaultyVenue
from px import Certificates, free_port, measured, wait_for
from px import bus, certificates  # noqa: F401  (fixtures)
from test_feeder import BTC, prices, text_frame, trade, upgrade_reply
from test_feeder_independent import BACKOFF_S, check_ill, check_well, start
from wire import Wire

STEP_MS = 500


def flows(bus, tail):  # noqa: F811
    tail.wait_lines(lambda ticks: len(prices(ticks)) > 20, what="prices")
    assert bus.stat()[0] == 0


def check_stale(tail):
    stale, = tail.wait_lines(lambda ticks: [t for t in ticks if t.get("event") == "stale"])
    assert (stale["symbol"], stale["cause"]) == (BTC, "the connection was lost")


# ---- certificates ----

def check_certificate(bus, tmp_path, good, bad, reason):  # noqa: F811
    with FaultyVenue(tls=good) as venue, Wire(venue.port) as wire:
        venue.heal()
        tail = start(bus, tmp_path, f"wss://127.0.0.1:{wire.port}", good)
        flows(bus, tail)
        venue.show(bad)
        wire.cut()
        check_ill(bus, rf"^TLS: certificate .*{reason}")
        check_stale(tail)
        failures = bus.counter("connect_failures")
        wait_for(lambda: bus.counter("connect_failures") > failures + 3, what="further attempts")
        seen = len(prices(tail.lines()))
        venue.show(good)
        check_well(bus, tail)
        assert len(prices(tail.lines())) > seen
        assert len(re.findall(f"warning.*{reason}", bus.processes[0].err())) == 1


def test_an_expired_certificate_is_refused_until_it_is_renewed(bus, tmp_path, certificates):  # noqa: F811
    check_certificate(bus, tmp_path, certificates,
                      Certificates(tmp_path, by=certificates, expired=True), "certificate has expired")


def test_a_certificate_that_nobody_vouches_for_is_refused_until_somebody_does(
        bus, tmp_path, certificates):  # noqa: F811
    other = Certificates(tmp_path)
    check_certificate(bus, tmp_path, certificates, SimpleNamespace(cert=other.ca, key=other.ca_key),
                      "self-signed certificate")


def test_a_certificate_for_another_host_is_refused_until_it_names_this_one(
        bus, tmp_path, certificates):  # noqa: F811
    other = Certificates(tmp_path, by=certificates, names=("DNS:elsewhere.example",))
    check_certificate(bus, tmp_path, certificates, other,
                      "it names elsewhere.example and not 127.0.0.1")


def test_a_certificate_of_an_authority_that_is_not_trusted_is_refused_until_it_is_of_another(
        bus, tmp_path, certificates):  # noqa: F811
    check_certificate(bus, tmp_path, certificates, Certificates(tmp_path),
                      "unable to get local issuer certificate")


# ---- handshakes ----

@pytest.mark.parametrize("passes", (0, 200), ids=("no answer", "half an answer"))
def test_a_handshake_that_stalls_ends_at_its_deadline_and_is_tried_again(
        bus, tmp_path, certificates, passes):  # noqa: F811
    with FaultyVenue(tls=certificates) as venue, Wire(venue.port) as wire:
        venue.heal()
        url = f"wss://127.0.0.1:{wire.port}"
        tail = start(bus, tmp_path, url, certificates, connect_ms=STEP_MS)
        flows(bus, tail)
        wire.hold_after(passes)
        wire.cut()
        check_ill(bus, "^the TLS handshake was not answered in time$")
        check_stale(tail)
        wait_for(lambda: len(wire.accepted) >= 4, what="further attempts")
        first, second = wire.accepted[2:4]  # the first after the cut came at its own time
        measured("TLS handshake that stalls", second - first, STEP_MS / 1000 + BACKOFF_S)
        wire.pass_on()
        check_well(bus, tail)


# ---- ends ----

def check_end(bus, tmp_path, tls, end, reason):  # noqa: F811
    with FaultyVenue(tls=tls) as venue, Wire(venue.port) as wire:
        venue.heal()
        tail = start(bus, tmp_path, f"wss://127.0.0.1:{wire.port}", tls)
        flows(bus, tail)
        wire.hold_after(0)  # what comes next waits, so that what is said can be looked at
        end(wire)
        check_ill(bus, reason)
        check_stale(tail)
        wire.pass_on()
        wire.cut()
        check_well(bus, tail)


def test_an_end_without_close_notify_is_no_orderly_end(bus, tmp_path, certificates):  # noqa: F811
    check_end(bus, tmp_path, certificates, lambda wire: wire.cut(),
              "^the connection ended without close_notify$")


def test_an_end_in_a_record_gives_nothing_of_it(bus, tmp_path, certificates):  # noqa: F811
    check_end(bus, tmp_path, certificates, lambda wire: wire.tear(),
              "^the connection ended without close_notify$")


def test_a_reset_in_a_record_gives_nothing_of_it(bus, tmp_path, certificates):  # noqa: F811
    check_end(bus, tmp_path, certificates, lambda wire: wire.tear(reset=True),
              "^the connection ended without close_notify$|Connection reset by peer$")


# ---- keys ----

class OpensslServer:
    """`openssl s_server`, whose standard input goes to the client and whose `K` asks for new keys."""

    def __init__(self, tls):
        self.port = free_port()
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-cert", tls.cert,
             "-key", tls.key, "-tls1_3", "-msg"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.said = b""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while data := self.process.stdout.read1(65536):
            self.said += data

    def wait(self, pattern, count=1):
        found = wait_for(lambda: len(m := list(re.finditer(pattern, self.said))) >= count and m,
                         what=f"{pattern} of openssl")
        return found[-1]

    def send(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def __enter__(self):
        self.wait(b"ACCEPT")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reader.join()


def key_updates(server, direction):
    message = direction + rb" TLS 1.3, Handshake \[length 0005\], KeyUpdate"
    return len(re.findall(message, server.said))


def test_new_keys_are_taken_and_answered_and_cost_no_message(bus, certificates):  # noqa: F811
    with OpensslServer(certificates) as server:
        url = f"wss://127.0.0.1:{server.port}"
        bus.feeder(BTC, endpoint=url, tls_ca=certificates.ca)
        key = server.wait(rb"(?i)sec-websocket-key: *(\S+)\r").group(1)
        server.send(upgrade_reply(key))
        for i in range(4):
            server.send(text_frame(trade(i)))
            wait_for(lambda: bus.counter("ticks_trade") == i + 1, what="the trade")  # noqa: B023
            server.send(b"K\n")
            wait_for(lambda: key_updates(server, rb"<<<") == i + 1, what="our new keys")  # noqa: B023
        assert key_updates(server, rb">>>") == 4
        server.send(text_frame(trade(4)))
        wait_for(lambda: bus.counter("ticks_trade") == 5, what="a trade under the last keys")
        assert bus.counter("gaps") == 0 and bus.counter("connect_failures") == 0
