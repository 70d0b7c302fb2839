"""How connections end: what a venue says last is heard, what we owe it is said, and a refusal is obeyed
and told in full."""
import array
import email.utils
import fcntl
import re
import signal
import socket
import ssl
import struct
import termios
import time

import pytest

from px import Blackhole, Sim, wait_for
from px import bus, certificates  # noqa: F401  (fixtures)
from test_feeder import BTC, read_client_frames, text_frame, trade, upgrade


def close_frame(code, reason):
    payload = struct.pack("!H", code) + reason.encode()
    return bytes([0x88, len(payload)]) + payload


def check_last_words(bus, tmp_path, prepare, tls=None):  # noqa: F811
    """A venue that sends the rest and a close frame, and then resets the connection."""
    config = tmp_path / "feeder.ini"
    config.write_text("[bus]\nreceive_kb = 4\nbackoff_min_ms = 30000\n[binance]\nlimits = venue\n")
    frames = [trade(i) for i in range(150)]  # some nine reads
    options = {"tls_ca": tls.ca} if tls else {}
    with Blackhole() as hole:
        url = f"{'wss' if tls else 'ws'}://127.0.0.1:{hole.port}"
        feeder = bus.feeder(BTC, endpoint=url, config=config, **options)
        raw = hole.accepted()
        venue = prepare(raw)
        upgrade(venue)
        wait_for(lambda: (bus.connection() or {}).get("state") == "subscribing")
        feeder.send(signal.SIGSTOP)
        venue.sendall(b"".join(map(text_frame, frames)) + close_frame(4001, "see you tomorrow"))
        unsent = array.array("i", [1])
        wait_for(lambda: fcntl.ioctl(venue.fileno(), termios.TIOCOUTQ, unsent) or unsent[0] == 0)
        venue.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        venue.close()  # a reset: what was sent is in the feeder's kernel
        feeder.send(signal.SIGCONT)
        reason = feeder.wait_err(r"warning binance: ws.*")
        assert "closed by the venue with code 4001: see you tomorrow" in reason.group(0)
        wait_for(lambda: bus.counter("ticks_trade") == len(frames), what="all that was sent")


def test_what_a_venue_says_before_a_reset_is_read_to_the_end(bus, tmp_path):  # noqa: F811
    check_last_words(bus, tmp_path, lambda raw: raw)


def server_side(tls):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.cert, tls.key)
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # an end without close_notify is an error

    def wrap(raw):
        raw.settimeout(10)
        return context.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False)
    return wrap


def test_what_a_venue_says_over_tls_before_a_reset_is_read_to_the_end(
        bus, tmp_path, certificates):  # noqa: F811
    check_last_words(bus, tmp_path, server_side(certificates), certificates)


@pytest.mark.parametrize("answers", (True, False))
def test_an_orderly_end_over_tls_says_close_notify_after_the_close_frame(
        bus, certificates, answers):  # noqa: F811
    with Blackhole() as hole:
        feeder = bus.feeder(BTC, endpoint=f"wss://127.0.0.1:{hole.port}", tls_ca=certificates.ca)
        venue = server_side(certificates)(hole.accepted())
        upgrade(venue)
        wait_for(lambda: (bus.connection() or {}).get("state") == "subscribing")
        feeder.send(signal.SIGTERM)
        if answers:
            venue.sendall(close_frame(1000, ""))
        assert read_client_frames(venue)[-1] == 8  # to the end without an SSLEOFError
        assert feeder.wait() == 0


def test_a_close_of_the_venue_over_tls_is_answered_with_close_frame_and_close_notify(
        bus, certificates):  # noqa: F811
    with Blackhole() as hole:
        bus.feeder(BTC, endpoint=f"wss://127.0.0.1:{hole.port}", tls_ca=certificates.ca)
        venue = server_side(certificates)(hole.accepted())
        upgrade(venue)
        wait_for(lambda: (bus.connection() or {}).get("state") == "subscribing")
        venue.sendall(close_frame(1001, "going away"))
        assert read_client_frames(venue)[-1] == 8


def test_pongs_are_counted_as_they_are_sent(bus):  # noqa: F811
    with Blackhole() as hole:
        feeder = bus.feeder(BTC, endpoint=f"ws://127.0.0.1:{hole.port}")
        venue = hole.accepted()
        upgrade(venue)
        wait_for(lambda: (bus.connection() or {}).get("state") == "subscribing")
        venue.sendall(b"\x89\x01a\x89\x01b\x89\x01c")  # three pings in one packet: one pong is due
        wait_for(lambda: bus.counter("pongs_sent") > 0)
        venue.sendall(b"\x89\x01d")
        wait_for(lambda: bus.counter("pongs_sent") == 2)
        feeder.send(signal.SIGTERM)
        assert read_client_frames(venue).count(10) == 2


def refuse(hole, reply):
    with hole.accepted() as venue:
        request = b""
        venue.settimeout(10)
        while b"\r\n\r\n" not in request:
            request += venue.recv(4096)
        venue.sendall(reply)


def check_refusal(bus, reply, words, waits_s, limits=None):  # noqa: F811
    options = {"limits": limits} if limits else {}
    with Blackhole() as hole:
        feeder = bus.feeder(BTC, endpoint=f"ws://127.0.0.1:{hole.port}", **options)
        refuse(hole, reply)
        feeder.wait_err(r"the venue refused the upgrade: " + words + r"\n")
        reason = wait_for(lambda: (bus.connection() or {}).get("reason"))
        assert re.fullmatch("the venue refused the upgrade: " + words, reason), reason
        assert bus.connection()["state"] == "waiting"
        assert hole.accepted(waits_s) is None


def test_a_refusal_is_told_with_its_number_and_its_time(bus):  # noqa: F811
    check_refusal(bus, b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\n\r\n",
                  "429 Too Many Requests, try again after 30 s", 2)


def test_a_date_in_retry_after_is_obeyed(bus):  # noqa: F811
    date = email.utils.formatdate(time.time() + 30, usegmt=True).encode()
    check_refusal(bus, b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: " + date + b"\r\n\r\n",
                  r"503 Service Unavailable, try again after (2\d|30) s", 2)


def test_too_many_without_a_time_is_a_minute_where_limits_apply(bus):  # noqa: F811
    check_refusal(bus, b"HTTP/1.1 418 I'm a teapot\r\n\r\n",
                  "418 I'm a teapot, try again after 60 s", 2, limits="venue")


def test_a_refusal_without_words_is_told_by_its_number(bus):  # noqa: F811
    check_refusal(bus, b"HTTP/1.1 503\r\nRetry-After: 9\r\n\r\n",
                  "503 without a reason, try again after 9 s", 1)


def test_an_endpoint_of_ones_own_that_says_too_many_is_tried_again_soon(bus):  # noqa: F811
    with Blackhole() as hole:
        bus.feeder(BTC, endpoint=f"ws://127.0.0.1:{hole.port}")
        refuse(hole, b"HTTP/1.1 429 Too Many Requests\r\n\r\n")
        assert hole.accepted(5) is not None


def test_an_exchange_that_keeps_its_limits_gets_all_symbols_in_the_end(bus):  # noqa: F811
    names = [f"binance:S{i}USDT" for i in range(60)]
    with Sim(rate=2000) as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url)
        bus.wait_live()
        bus.tail_process(*names)  # one after the other: a message each
        feeder.wait_err("closes with code 1008: the venue's limit of 5 messages a second is kept")

        def all_live():
            code, stat = bus.stat()
            live = [s for s in stat["subscriptions"] if s["state"] == "live"]
            return code == 0 and len(live) == len(names) + 1
        wait_for(all_live, 60, "all symbols live")
        assert feeder.err().count("is kept from now on") == 1


def test_timers_are_counted_while_they_are_armed(bus):  # noqa: F811
    with Sim(rate=500) as sim:
        bus.feeder(BTC, endpoint=sim.url)
        bus.wait_live()
        own = 2  # of the heartbeat, and of memory
        wait_for(lambda: bus.counter("timers") == own, what="the feeder's own alone")
        wait_for(lambda: bus.stat()[1]["memory"]["objects"]["timers"] == own, what="the census")
        sim.kill()
        wait_for(lambda: bus.counter("timers") == own + 1, what="that of the next attempt")
