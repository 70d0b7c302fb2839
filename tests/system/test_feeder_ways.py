"""The ways of the feeder to a venue: through a proxy, from an address, over endpoints in turn."""
import pytest

from px import Blackhole, Certificates, Sim, free_port, measured, run, wait_for
from px import bus  # noqa: F401  (fixture)
from connect_proxy import SILENT, ConnectProxy
from test_feeder import BTC, logged, prices
from test_feeder_edges import SLOW

QUICK = {"backoff_min_ms": 5, "backoff_max_ms": 20}


def flows(bus):  # noqa: F811
    tail = bus.tail_process(BTC, wait=True)
    tail.wait_lines(lambda ticks: len(prices(ticks)) > 20, what="prices")


def test_prices_come_through_a_proxy_that_resolves_the_name(bus):  # noqa: F811
    with Sim(rate=500) as sim, ConnectProxy({"venue.test": sim.port}) as proxy:
        bus.feeder(BTC, endpoint="ws://venue.test:80", proxy=proxy.url)
        flows(bus)
        assert bus.connection()["endpoint"] == f"ws://venue.test:80 via {proxy.address}"
        assert proxy.requests == [b"CONNECT venue.test:80 HTTP/1.1\r\nHost: venue.test:80\r\n\r\n"]


def test_prices_come_through_a_proxy_over_tls_of_the_venues_name(bus, tmp_path):  # noqa: F811
    tls = Certificates(tmp_path, names=("DNS:venue.test",))
    with Sim(rate=500, tls=tls) as sim, ConnectProxy({"venue.test": sim.port}) as proxy:
        bus.feeder(BTC, endpoint="wss://venue.test", proxy=proxy.url, tls_ca=tls.ca)
        flows(bus)
        assert proxy.targets() == ["venue.test:443"]


@pytest.mark.parametrize("secure", (False, True))
def test_a_reply_that_comes_byte_by_byte_is_one_reply(bus, tmp_path, secure):  # noqa: F811
    tls = Certificates(tmp_path, names=("DNS:venue.test",)) if secure else None
    with Sim(rate=500, tls=tls) as sim, ConnectProxy({"venue.test": sim.port}, drip=True) as proxy:
        bus.feeder(BTC, endpoint=f"{'wss' if secure else 'ws'}://venue.test", proxy=proxy.url,
                   **({"tls_ca": tls.ca} if secure else {}))
        flows(bus)


def test_bytes_of_the_server_that_come_with_the_reply_are_not_lost(bus):  # noqa: F811
    early = b"HTTP/1.1 503 Too early\r\nContent-Length: 0\r\n\r\n"
    with Blackhole() as venue, ConnectProxy({"venue.test": venue.port}, behind=early) as proxy:
        feeder = bus.feeder(BTC, endpoint="ws://venue.test", proxy=proxy.url, **QUICK)
        feeder.wait_err("the venue refused the upgrade: 503 Too early")


def test_the_environment_names_the_proxy_but_not_for_this_machine(bus):  # noqa: F811
    with Sim(rate=500) as sim, Sim(venue="binance_us") as local, \
            ConnectProxy({"venue.test": sim.port}) as proxy:
        bus.feeder(BTC, "binance_us:BTCUSD", "--endpoint", f"binance_us={local.url}",
                   endpoint="ws://venue.test:80", env={"http_proxy": proxy.url})
        flows(bus)
        bus.wait_live("binance_us")
        assert proxy.targets() == ["venue.test:80"]
        assert bus.connection("binance_us")["endpoint"] == local.url


def test_a_venue_has_a_proxy_of_its_own(bus, tmp_path):  # noqa: F811
    config = tmp_path / "feeder.ini"
    with Sim(rate=500) as sim, Sim(venue="binance_us") as other, \
            ConnectProxy({"venue.test": sim.port}) as proxy:
        config.write_text(f"[binance]\nproxy = {proxy.url}\nendpoint = ws://venue.test:80\n"
                          f"[binance_us]\nproxy = none\nendpoint = {other.url}\n")
        bus.feeder(BTC, "binance_us:BTCUSD", config=config, proxy=f"127.0.0.1:{free_port()}")
        flows(bus)
        bus.wait_live("binance_us")


@pytest.mark.parametrize("answer, sentence", (
    (407, "the proxy refused with status 407: it asks for another user or password"),
    (403, "the proxy refused with status 403"),
    (502, "the proxy refused with status 502"),
    (b"HTTP/1.1 200 Connec", "the proxy ended the connection in the middle of its answer"),
    (b"HTTP/1.1 200 OK\r\nX: y\r\n", "the proxy ended the connection in the middle of its answer"),
    (b"", "the proxy ended the connection without an answer"),
    (b"SSH-2.0-OpenSSH\r\n", "the proxy does not answer in HTTP/1")))
def test_a_proxy_that_does_not_let_us_through_is_one_sentence(bus, answer, sentence):  # noqa: F811
    with ConnectProxy(answer=answer) as proxy:
        feeder = bus.feeder(BTC, endpoint="ws://venue.test", proxy=proxy.url, **QUICK)
        feeder.wait_err(f"ws://venue.test via {proxy.address}: {sentence}")
        wait_for(lambda: len(proxy.requests) > 3, what="further attempts")
        assert sentence in run("pxstat", "-b", bus.name, "--connections", "--errors").stdout
        assert feeder.stop() == 0


def test_a_proxy_that_is_silent_has_a_deadline(bus):  # noqa: F811
    with ConnectProxy(answer=SILENT) as proxy:
        feeder = bus.feeder(BTC, endpoint="ws://venue.test", proxy=proxy.url, connect_ms=200,
                            **QUICK)
        feeder.wait_err("the proxy did not answer in time")
        measured("proxy without an answer", logged(feeder, "the proxy did not answer")[0] -
                 logged(feeder, "epoch 1")[0], 0.2)
        wait_for(lambda: len(proxy.requests) > 1, what="another attempt")


def test_a_proxy_that_is_not_there_is_said(bus):  # noqa: F811
    feeder = bus.feeder(BTC, endpoint="ws://venue.test", proxy=f"127.0.0.1:{free_port()}")
    feeder.wait_err("cannot connect to the proxy: Connection refused")


def test_user_and_password_open_the_proxy(bus):  # noqa: F811
    with Sim(rate=500) as sim, ConnectProxy({"venue.test": sim.port}, user="me:pass word") as proxy:
        bus.feeder(BTC, endpoint="ws://venue.test", proxy=proxy.url.replace(" ", "%20"))
        flows(bus)


@pytest.mark.parametrize("answer", (None, 407))
def test_a_password_is_never_shown(bus, answer):  # noqa: F811
    with Sim(rate=500) as sim, \
            ConnectProxy({"venue.test": sim.port}, user="me:hushhush", answer=answer) as proxy:
        feeder = bus.feeder(BTC, endpoint="ws://venue.test", proxy=proxy.url, log_level="debug",
                            **QUICK)
        if answer is None:
            flows(bus)
        else:
            feeder.wait_err("refused with status 407", count=2)
        shown = [run("pxstat", "-b", bus.name, *flags).stdout for flags in
                 (["--connections", "--errors", "--symbols"], ["--json"], [])]
        plan = run("feeder", "--plan", "--proxy", proxy.url)
        segment = bus.segment().read_bytes()
        assert feeder.stop() == 0
        everything = "".join((feeder.err(), feeder.out(), plan.stdout, plan.stderr, *shown))
        for secret in ("hushhush", "bWU6aHVzaGh1c2g"):  # as it is, and as the header has it
            assert any(secret.encode() in head for head in proxy.requests) == (secret[0] == "b")
            assert secret not in everything and secret.encode() not in segment


def test_an_endpoint_that_refuses_gives_way_to_the_next(bus):  # noqa: F811
    with Sim(rate=500) as sim:
        dead = f"ws://127.0.0.1:{free_port()}"
        feeder = bus.feeder(BTC, "--endpoint", f"binance={dead}", "--endpoint",
                            f"binance={sim.url}", **QUICK)
        flows(bus)
        feeder.wait_err(f"{dead}: cannot connect: Connection refused")
        assert bus.connection()["endpoint"] == sim.url


def test_the_endpoint_that_worked_is_tried_first_again(bus):  # noqa: F811
    def refuse(head):
        return 502 if b"dead.test" in head else None
    with Sim(rate=500) as sim, ConnectProxy({"venue.test": sim.port}, answer=refuse) as proxy:
        feeder = bus.feeder(BTC, "--endpoint", "binance=ws://dead.test", "--endpoint",
                            "binance=ws://venue.test", proxy=proxy.url, **QUICK)
        feeder.wait_err("live at ws://venue.test")
        assert proxy.targets() == ["dead.test:80", "venue.test:80"]
        proxy.cut()
        feeder.wait_err("live at ws://venue.test", count=2)
        assert proxy.targets() == ["dead.test:80", "venue.test:80", "venue.test:80"]


def test_endpoints_go_round_as_long_as_none_works(bus):  # noqa: F811
    ports = [free_port() for _ in range(3)]
    feeder = bus.feeder(BTC, *(a for p in ports for a in ("--endpoint", f"binance=ws://127.0.0.1:{p}")),
                        **QUICK)
    for port in ports:  # each is said once in the series
        feeder.wait_err(f"warning binance: ws://127.0.0.1:{port}: cannot connect")
    wait_for(lambda: (bus.counter("connect_failures") or 0) > 6, what="further rounds")
    assert feeder.err().count("cannot connect") == 3


def test_the_venues_own_endpoints_are_tried_in_turn(bus):  # noqa: F811
    own = ["stream.binance.com:9443", "stream.binance.com:443", "data-stream.binance.vision:443"]
    with ConnectProxy(answer=502) as proxy:
        bus.feeder(BTC, env={"https_proxy": proxy.url}, **QUICK)
        wait_for(lambda: len(proxy.requests) >= 4, what="attempts")
        assert proxy.targets()[:4] == [*own, own[0]]


def test_a_connection_comes_from_the_address_it_is_bound_to(bus):  # noqa: F811
    with Blackhole() as venue:
        bus.feeder(BTC, endpoint=f"ws://127.0.0.1:{venue.port}", bind="127.0.0.2")
        with venue.accepted() as peer:
            assert peer.getpeername()[0] == "127.0.0.2"


def test_prices_come_to_a_bound_address(bus):  # noqa: F811
    with Sim(rate=500) as sim:
        bus.feeder(BTC, endpoint=sim.url, bind="127.0.0.3")
        flows(bus)


def test_addresses_of_another_family_than_the_bound_one_are_left_out(bus):  # noqa: F811
    feeder = bus.feeder(BTC, endpoint=f"ws://127.0.0.1:{free_port()}", bind="::1")
    feeder.wait_err("127.0.0.1 has no address of the family of ::1")


def test_the_addresses_of_the_bound_family_are_kept(bus):  # noqa: F811
    with Sim(rate=500) as sim:
        feeder = bus.feeder(BTC, endpoint=f"ws://both-families.test:{sim.port}", bind="127.0.0.1",
                            env=SLOW)
        flows(bus)
        feeder.wait_err("1 of the 2 addresses of both-families.test are not of the family of 127.0.0.1")
        assert "cannot connect" not in feeder.err()


def test_an_address_that_is_not_this_machines_is_said(bus):  # noqa: F811
    feeder = bus.feeder(BTC, endpoint=f"ws://127.0.0.1:{free_port()}", bind="192.0.2.1")
    feeder.wait_err("cannot connect from 192.0.2.1: Cannot assign requested address")
