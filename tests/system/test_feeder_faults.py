"""Each fault of the simulated exchange befalls the first connection; each test is named after what the
feeder promises then. Faults of the upgrade and of silence are in test_feeder.py."""
from px import Sim, wait_for
from px import bus  # noqa: F401  (fixture)
from test_feeder import BTC, check_recovery, check_told, prices


TOO_LONG = "longer than the limit of 16777216"


def events(tail, name):
    return [t for t in tail.lines() if t.get("event") == name]


def flow(bus, fault, ticks):  # noqa: F811
    """A reader of a connection with this fault, after so many ticks; the connection must hold."""
    with Sim(rate=500, fault=fault) as sim:
        bus.feeder(endpoint=sim.url)
        tail = bus.tail_process(BTC)
        tail.wait_lines(lambda lines: len(prices(lines)) >= ticks, what="ticks")
        assert bus.connection()["state"] == "live"
        assert bus.connection()["reconnects"] == 0
        wait_for(lambda: bus.stat()[0] == 0, what="exit code 0 of pxstat")
        assert not events(tail, "stale")
        check_told(tail.lines())
        return tail


def test_a_connection_that_drips_is_alive(bus):  # noqa: F811
    flow(bus, "slow-drip:2", 5)


def test_a_server_that_answers_no_ping_is_not_cut(bus):  # noqa: F811
    flow(bus, "no-pong", 100)


def test_what_comes_twice_is_published_once(bus):  # noqa: F811
    flow(bus, "duplicate:10", 200)
    assert bus.counter("duplicates") > 0


def test_what_comes_out_of_order_is_published_in_order(bus):  # noqa: F811
    flow(bus, "reorder:10", 200)


def test_a_broken_frame_is_counted_and_costs_nothing_else(bus):  # noqa: F811
    flow(bus, "bad-json:10", 200)
    assert bus.counter("frames_bad") > 0
    assert any("broken JSON" in e["text"] for e in bus.stat()[1]["errors"])


def test_skipped_trade_ids_are_a_gap_of_exactly_them(bus):  # noqa: F811
    tail = flow(bus, "sequence-gap:12", 300)
    gaps = events(tail, "gap")
    assert gaps
    lines = tail.lines()
    for gap in gaps:
        assert gap["count"] == int(gap["last_id"]) - int(gap["first_id"]) + 1
        shown = next(t for t in lines[lines.index(gap):] if t["kind"] == "trade")
        assert "gap" in shown["flags"] and int(shown["trade_id"]) == int(gap["last_id"]) + 1
        assert shown["recv_ts_ns"] == gap["recv_ts_ns"]  # told with the message that shows it


def test_a_message_beyond_the_limit_ends_the_connection_not_the_feeder(bus):  # noqa: F811
    check_recovery(bus, "giant-frame", reason=TOO_LONG)


def test_fragments_without_end_end_the_connection_not_the_feeder(bus):  # noqa: F811
    check_recovery(bus, "endless-fragments", reason=TOO_LONG)


def test_text_that_is_not_utf8_ends_the_connection(bus):  # noqa: F811
    check_recovery(bus, "bad-utf8", reason="text is not UTF-8")


def test_a_frame_against_the_protocol_ends_the_connection(bus):  # noqa: F811
    check_recovery(bus, "bad-frame", reason="reserved opcode")


def test_an_announced_end_is_survived_and_what_was_missed_is_told(bus):  # noqa: F811
    with Sim(rate=500, fault="server-shutdown:1", fault_connections=1) as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url)
        tail = bus.tail_process(BTC)
        feeder.wait_err("another connection takes over")
        wait_for(lambda: bus.counter("connects") == 2, what="its successor")
        seen = len(tail.lines())
        tail.wait_lines(lambda ticks: len(ticks) > seen + 200, what="prices of it")
    assert bus.counter("planned_ends") == 1
    check_told(tail.lines())


def test_a_teapot_is_left_alone_for_as_long_as_it_says(bus):  # noqa: F811
    feeder, _ = check_recovery(bus, "418:1", "418 I'm a teapot, try again after 1 s", pause_s=1)
    assert feeder.failures == 1


def check_flawed(bus, tmp_path, fault, reason):  # noqa: F811
    """A certificate with this flaw, and then one without."""
    check_recovery(bus, fault, f"TLS: certificate .*{reason}",
                   exchange={"tls_auto": tmp_path / "tls"}, tls_ca=tmp_path / "tls" / "ca.pem")


def test_a_certificate_that_has_expired_is_refused_and_the_next_one_taken(bus, tmp_path):  # noqa: F811
    check_flawed(bus, tmp_path, "expired-certificate", "certificate has expired")


def test_a_certificate_for_another_name_is_refused_and_the_next_one_taken(bus, tmp_path):  # noqa: F811
    check_flawed(bus, tmp_path, "wrong-host", "host name mismatch: it names .* and not 127.0.0.1")
