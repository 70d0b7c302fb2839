"""/metrics: right by the formats' own parsers, and the same numbers as pxstat's."""
import json
import re
import shutil
import subprocess

import pytest

from px_tools import CONN_LIVE, CONN_WAITING, SOURCE, bus_name, stat, until
from px_tools import feeder, writer  # noqa: F401  (fixtures)
from pxmon import mon  # noqa: F401  (fixture)

SYMBOL = "binance:BTCUSDT"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def promtool(*args, text=None):
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return subprocess.run([tool, *map(str, args)], input=text, capture_output=True, text=True, timeout=60,
                          check=False)


def busy(w):
    """A bus with something in every table."""
    w.say(f"bind {SYMBOL}", f"pin {SYMBOL} 2 3", f"quality {SYMBOL} 0 0",
          f"trade {SYMBOL} 61837.63000000 0.02000000",
          f"conn 0 binance wss://a:9443 {CONN_LIVE} 0 70 fine", "latency 0 1500 90", "latency 0 90000 10",
          f"conn 1 binance wss://a:9443 {CONN_WAITING} 1 7 HTTP 429",
          "reader 0 4242 strategy 3 17 5", "reader 1 4242 strategy 1 20 6", "reader 2 7 other 1 0 0",
          "error bad-frame something", "error bad-frame other", "count test_frames 12",
          "memory 100000000 50000000", "verdict 2 1 36000000 990000 2 7200")


def samples(text):
    """{(name, labels): value}, labels as they stand."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = re.fullmatch(r'([a-z_0-9]+)(\{.*\})? (\S+)', line).groups()
            assert (name, labels) not in found, line
            found[name, labels] = float(value)
    return found


def scrape(m, **headers):
    reply = m.ask("/metrics", **headers)
    assert reply.status == 200
    return reply


def settled(m, condition):
    """The samples, as soon as a look was taken that fulfils the condition."""
    def look():
        found = samples(scrape(m).text)
        return found if condition(found) else None
    return until(look, lambda: scrape(m).text)


def test_openmetrics_is_right_by_the_reference_parser(mon, feeder):  # noqa: F811
    parser = pytest.importorskip("prometheus_client.openmetrics.parser",
                                 reason="python3-prometheus-client is not installed")
    m = mon(feeder.bus)
    m.ready(200)
    reply = scrape(m)
    assert reply.headers["content-type"] == OPEN
    families = {f.name: f for f in parser.text_string_to_metric_families(reply.text)}
    assert families["px_connection_latency_seconds"].type == "histogram"
    assert families["px_frames_in"].type == "counter"
    assert families["px_heap_bytes"].unit == "bytes"
    assert "received from venues" in families["px_frames_in"].documentation


def test_openmetrics_has_its_form(mon, writer):  # noqa: F811
    """What the format demands and a look at the lines can tell; without any parser."""
    busy(writer)
    m = mon(writer.bus)
    text = scrape(m).text
    assert text.endswith("\n# EOF\n") and text.count("# EOF") == 1
    lines = text.splitlines()[:-1]
    family, kind, seen = None, None, set()
    for line in lines:
        if found := re.fullmatch(r"# HELP ([a-z_0-9]+) .+", line):
            family = found[1]
            assert family not in seen, line
            seen.add(family)
        elif found := re.fullmatch(r"# TYPE (\S+) (gauge|counter|histogram|info)", line):
            assert found[1] == family
            kind = found[2]
        elif found := re.fullmatch(r"# UNIT (\S+) (\S+)", line):
            assert found[1] == family and family.endswith("_" + found[2])
        else:
            suffix = {"gauge": "", "counter": "_total", "histogram": "_bucket", "info": "_info"}[kind]
            assert re.match(re.escape(family + suffix) + r"[{ ]", line), line


def test_promtool_finds_nothing_to_say(mon, feeder):  # noqa: F811
    """promtool reads the older text, which those get who ask for it."""
    m = mon(feeder.bus)
    m.ready(200)
    reply = scrape(m, Accept="text/plain;version=0.0.4")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    done = promtool("check", "metrics", text=reply.text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_prometheus_and_browsers_get_openmetrics(mon):  # noqa: F811
    m = mon(bus_name())
    for accept in ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                   "*/*", "text/html,*/*;q=0.8"):
        assert scrape(m, Accept=accept).headers["content-type"] == OPEN


def test_numbers_are_those_of_pxstat(mon, writer):  # noqa: F811
    busy(writer)
    m = mon(writer.bus)
    found = settled(m, lambda x: x.get(("px_test_frames_total", None)) == 12)
    shown = stat(writer.bus)
    for name, value in shown["counters"].items():
        assert value in (found.get((f"px_{name}_total", None)), found.get((f"px_{name}", None))), name
    assert found["px_published_ticks_total", None] == shown["bus"]["sequence"]
    assert found["px_memory_resident_bytes", None] == shown["memory"]["rss_bytes"]
    assert found["px_memory_owner_bytes", '{owner="tls"}'] == shown["memory"]["by_owner"]["tls"]
    assert found["px_memory_growth_bytes_per_second", None] == 10000
    assert found["px_subscribed_symbols", '{quality="live"}'] == 1


def test_connections_and_readers_have_labels_of_their_own(mon, writer):  # noqa: F811
    busy(writer)
    m = mon(writer.bus)
    found = settled(m, lambda x: ("px_test_frames_total", None) in x)
    place = '{venue="binance",endpoint="wss://a:9443",place="%d"}'
    assert found["px_connection_up", place % 0] == 1
    assert found["px_connection_up", place % 1] == 0
    assert found["px_connection_breaker_open", place % 1] == 1
    assert found["px_connection_messages_total", place % 0] == 70
    # two attachments of one process are one series
    reader = '{reader="strategy",pid="4242"}'
    assert found["px_reader_lag_ticks", reader] == 20
    assert found["px_reader_lost_ticks_total", reader] == 11
    assert found["px_errors_total", '{kind="bad-frame"}'] == 2


def test_latency_buckets_add_up(mon, writer):  # noqa: F811
    busy(writer)
    m = mon(writer.bus)
    found = settled(m, lambda x: ("px_test_frames_total", None) in x)
    buckets = []
    for (name, labels), value in found.items():
        if name == "px_connection_latency_seconds_bucket" and 'place="0"' in labels:
            buckets.append((float(re.search(r'le="([^"]+)"', labels)[1]), value))
    assert buckets == sorted(buckets) and [v for _, v in buckets] == sorted(v for _, v in buckets)
    assert buckets[-1] == (float("inf"), 100)
    at = dict(buckets)
    assert at[1024e-9] == 0 and at[2048e-9] == 90 and at[65536e-9] == 90 and at[131072e-9] == 100


def test_names_of_others_cannot_break_the_format(mon, writer):  # noqa: F811
    parser = pytest.importorskip("prometheus_client.openmetrics.parser",
                                 reason="python3-prometheus-client is not installed")
    writer.say('reader 0 1 a"b}\\n\x01\xff 1 1 1', f'conn 0 x"y ws://\\" {CONN_LIVE} 0 1 fine',
               'error k"\\ text')
    m = mon(writer.bus)
    settled_text = until(lambda: t if "px_connection_up{" in (t := scrape(m).text) else None, "the table")
    families = {f.name: f for f in parser.text_string_to_metric_families(settled_text)}
    (sample,) = families["px_connection_up"].samples
    assert sample.labels["venue"] == 'x"y' and sample.labels["endpoint"] == 'ws://\\"'


def test_without_a_bus_it_says_so(mon):  # noqa: F811
    m = mon(bus_name())
    found = samples(scrape(m).text)
    assert found["px_health", None] == 3 and found["px_feeder_up", None] == 0
    assert ("px_epoch", None) not in found


def test_alerting_rules_are_right():
    done = promtool("check", "rules", SOURCE / "docs" / "alerts.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_and_dashboard_name_metrics_that_exist(mon, writer):  # noqa: F811
    busy(writer)
    m = mon(writer.bus)
    settled(m, lambda x: ("px_test_frames_total", None) in x)
    known = {name for name, _ in samples(scrape(m).text)}
    text = (SOURCE / "docs" / "alerts.yml").read_text(encoding="utf-8")
    dashboard = json.loads((SOURCE / "docs" / "grafana" / "px-dashboard.json").read_text(encoding="utf-8"))
    assert len(dashboard["panels"]) > 10
    text += json.dumps([p["targets"] for p in dashboard["panels"]])
    used = set(re.findall(r"\bpx_[a-z_]+", text))
    assert len(used) > 10 and used <= known, used - known
