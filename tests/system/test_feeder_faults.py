"""Each fault of the simulated exchange befalls the first connection; each test is named after what the
feeder promises then. Faults of the upgrade and of silence are in test_feeder.py."""
from px import Sim, wait_for
from px import bus  # noqa: F401  (fixture)
from test_feeder import BTC, check_recovery, prices


def increasing(ticks):
    """Trade ids of a stream, which never go back."""
    ids = [int(t["trade_id"]) for t in ticks if t["kind"] == "trade"]
    return ids == sorted(set(ids))


def check_told(ticks):
    """Trade ids never go back, and each that is missing is named by exactly one gap."""
    ids = [int(t["trade_id"]) for t in ticks if t["kind"] == "trade"]
    assert ids == sorted(set(ids))
    missing = [i for a, b in zip(ids, ids[1:]) for i in range(a + 1, b)]
    named = [i for t in ticks if t.get("event") == "gap"
             for i in range(int(t["first_id"]), int(t["last_id"]) + 1)]
    assert named == missing


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
        assert increasing(tail.lines())
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
    for gap in gaps:
        assert gap["count"] == int(gap["last_id"]) - int(gap["first_id"]) + 1
        inside = [t for t in tail.lines() if t["kind"] == "trade" and
                  int(gap["first_id"]) <= int(t["trade_id"]) <= int(gap["last_id"])]
        assert inside == []


def test_a_message_beyond_the_limit_ends_the_connection_not_the_feeder(bus):  # noqa: F811
    feeder, _ = check_recovery(bus, "giant-frame")
    assert "longer than the limit of 16777216" in feeder.err()


def test_fragments_without_end_end_the_connection_not_the_feeder(bus):  # noqa: F811
    feeder, _ = check_recovery(bus, "endless-fragments")
    assert "longer than the limit of 16777216" in feeder.err()


def test_text_that_is_not_utf8_ends_the_connection(bus):  # noqa: F811
    feeder, tail = check_recovery(bus, "bad-utf8")
    assert "text is not UTF-8" in feeder.err()
    assert increasing(tail.lines())


def test_a_frame_against_the_protocol_ends_the_connection(bus):  # noqa: F811
    feeder, tail = check_recovery(bus, "bad-frame")
    assert "reserved opcode" in feeder.err()
    assert increasing(tail.lines())


def test_an_announced_end_is_survived_and_what_was_missed_is_told(bus):  # noqa: F811
    with Sim(rate=500, fault="server-shutdown:1", fault_connections=1) as sim:
        feeder = bus.feeder(BTC, endpoint=sim.url)
        tail = bus.tail_process(BTC)
        feeder.wait_err("another connection takes over")
        wait_for(lambda: bus.counter("connects") == 2, what="its successor")
        seen = len(tail.lines())
        tail.wait_lines(lambda ticks: len(ticks) > seen + 200, what="prices of it")
    assert bus.counter("planned_ends") == 1
    assert increasing(tail.lines())
    lines = tail.lines()
    ids = [int(t["trade_id"]) for t in lines if t["kind"] == "trade"]
    missed = ids[-1] - ids[0] + 1 - len(ids)
    assert missed == sum(t["count"] for t in lines if t.get("event") == "gap")


def test_a_teapot_is_left_alone_for_as_long_as_it_says(bus):  # noqa: F811
    feeder, _ = check_recovery(bus, "418:1")
    assert wait_for(lambda: "teapot" in feeder.err())
    assert feeder.failures == 1
