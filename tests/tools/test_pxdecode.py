"""pxdecode as a program: pipes, refusals, usage."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time

PXDECODE = os.path.join(os.environ["PX_BUILD"], "bin", "pxdecode")
VENUES = pathlib.Path(os.environ["PX_SOURCE"]) / "feeder" / "venues" / "venues.def"
TRADE = (b'{"stream":"ethusdt@trade","data":{"e":"trade","E":1790000000123,"s":"ETHUSDT","t":900100,'
         b'"p":"2711.05000000","q":"0.31400000","T":1790000000121,"m":true,"M":true}}')
QUOTE = b'{"u":1,"s":"ETHUSDT","b":"1.10","B":"2","a":"1.2","A":"0.0"}'
BAD_PRICE = TRADE.replace(b"2711.05000000", b"abc")
DEADLINE_S = 20


def run(frames, *args, code=0):
    done = subprocess.run([PXDECODE, *args], input=frames, capture_output=True, timeout=DEADLINE_S)
    assert done.returncode == code, done.stderr
    return done.stdout.decode(), done.stderr.decode()


def decode(frames, *args):
    return run(frames, "--venue", "binance", *args)


def test_a_trade_is_one_json_object_with_every_member_of_the_contract():
    out, err = decode(TRADE + b"\n", "--json")
    assert out == (
        '{"frame":1,"seq":null,"symbol":"binance:ETHUSDT","kind":"trade","price":"2711.05000000",'
        '"size":"0.31400000","side":"sell","trade_id":"900100","exch_ts_ns":1790000000121000000,'
        '"recv_ts_ns":null,"flags":[]}\n')
    assert err == ""


def test_a_quote_without_a_time_has_null_for_it():
    out, _ = decode(QUOTE + b"\n", "--json")
    assert json.loads(out) == {
        "frame": 1, "seq": None, "symbol": "binance:ETHUSDT", "kind": "quote", "bid": "1.10",
        "bid_size": "2", "ask": "1.2", "ask_size": "0.0", "exch_ts_ns": None, "recv_ts_ns": None,
        "flags": []}


def test_people_get_a_line_of_words():
    out, _ = decode(TRADE + b"\n" + QUOTE)
    assert out.splitlines() == [
        "1 2026-09-21T14:13:20.121000000Z binance:ETHUSDT trade price 2711.05000000 "
        "size 0.31400000 sell id 900100",
        "2 - binance:ETHUSDT quote bid 1.10 size 2 ask 1.2 size 0.0"]


def test_frames_are_numbered_by_line_and_the_last_needs_no_line_end():
    out, err = decode(b"\n".join([TRADE, b'{"result":null,"id":1}', TRADE + b"\r", TRADE]), "--json")
    assert [json.loads(line)["frame"] for line in out.splitlines()] == [1, 3, 4]
    assert err == ""


def test_refusals_are_told_once_a_kind_and_counted_and_exit_is_0():
    out, err = decode(b"\n".join([TRADE, BAD_PRICE, b"{", BAD_PRICE, b"", TRADE, b"[{}]"]), "--json")
    assert len(out.splitlines()) == 2
    assert err.splitlines() == [
        'pxdecode: frame 2: trade of ETHUSDT: price "abc" is not a number',
        "pxdecode: frame 3: broken JSON: an array or object without end",
        "pxdecode: stdin: 4 refused in 7 frames (2 not a number, 2 broken JSON), 1 ignored"]


def test_a_bad_element_of_an_array_leaves_the_others():
    one = b'{"e":"24hrMiniTicker","E":1790000000000,"s":"%s","c":"%s","o":"1","h":"1","l":"1"}'
    frame = b"[" + b",".join([one % (b"A", b"1"), one % (b"B", b"x"), one % (b"C", b"3")]) + b"]"
    out, err = decode(frame, "--json")
    assert [json.loads(line)["symbol"] for line in out.splitlines()] == ["binance:A", "binance:C"]
    assert 'frame 1: 24hrMiniTicker of B: last price "x" is not a number' in err


def test_bytes_that_a_terminal_would_act_on_are_not_passed_on():
    _, err = decode(TRADE.replace(b"2711.05000000", b"\\u001b[31mred"))
    assert "\x1b" not in err and "?[31mred" in err
    out, _ = decode(TRADE.replace(b'"s":"ETHUSDT"', b'"s":"ETH\\u001bUSDT"'))
    assert out == ""


def test_a_book_without_a_snapshot_prints_nothing_but_still_counts():
    out, err = decode(TRADE + b"\n" + BAD_PRICE, "--book", "--json")
    assert out == "" and "1 refused in 2 frames" in err


def test_a_line_of_16_mib_and_more_is_one_frame():
    filler = b'{"x":"' + b"y" * (17 << 20) + b'"}'
    out, err = decode(b"\n".join([TRADE, filler, TRADE, b" " * (20 << 20) + TRADE]), "--json")
    assert [json.loads(line)["frame"] for line in out.splitlines()] == [1, 3, 4]
    assert err == ""


def test_a_line_beyond_every_frame_is_refused_and_the_next_is_read():
    out, err = decode(b"\n".join([b"[" + b" " * (65 << 20), TRADE, b"1" * (130 << 20)]), "--json")
    assert [json.loads(line)["frame"] for line in out.splitlines()] == [2]
    assert err.splitlines() == [
        "pxdecode: frame 1: longer than 67108864 bytes",
        "pxdecode: stdin: 2 refused in 3 frames (2 frame too long), 0 ignored"]


def test_what_is_known_is_printed_before_more_input_is_waited_for():
    with subprocess.Popen([PXDECODE, "--venue", "binance", "--json"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as p:
        for n in (1, 2):
            p.stdin.write(TRADE + b"\n")
            p.stdin.flush()
            assert json.loads(p.stdout.readline())["frame"] == n
        p.stdin.close()
        assert p.wait(DEADLINE_S) == 0


def test_a_closed_output_pipe_is_exit_0_without_a_word():
    with subprocess.Popen([PXDECODE, "--venue", "binance", "--json"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as p:
        p.stdout.close()
        deadline = time.monotonic() + DEADLINE_S
        try:
            while p.poll() is None and time.monotonic() < deadline:
                p.stdin.write((TRADE + b"\n") * 1000)
        except BrokenPipeError:
            pass
        assert p.wait(DEADLINE_S) == 0
        assert p.stderr.read() == b""


def test_output_that_cannot_be_written_is_exit_1():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([PXDECODE, "--venue", "binance"], input=TRADE, stdout=full,
                              stderr=subprocess.PIPE, timeout=DEADLINE_S)
    assert done.returncode == 1
    assert done.stderr == b"pxdecode: stdout: No space left on device\n"


def test_wrong_usage_is_one_sentence_and_exit_2():
    names = ", ".join(re.findall(r"^PX_VENUE\((\w+)\)", VENUES.read_text(), re.M))
    for args, sentence in [([], f"pxdecode: --venue: is required, one of {names}"),
                           (["--venue", "nasdaq"],
                            f"pxdecode: nasdaq: no such venue, known are {names}"),
                           (["--venue"], "pxdecode: --venue: needs VENUE"),
                           (["--venue", "binance", "x"],
                            "pxdecode: x: unexpected, frames are read from stdin"),
                           (["--frob"], "pxdecode: --frob: unknown option, see --help")]:
        out, err = run(b"", *args, code=2)
        assert (out, err) == ("", sentence + "\n")


def test_help_and_version_are_exit_0():
    out, _ = run(b"", "--help")
    assert out.startswith("usage: pxdecode") and len(out.splitlines()) <= 24
    out, _ = run(b"", "--version")
    assert out.startswith("pxdecode ")


def test_an_interrupt_ends_it_at_once():
    with subprocess.Popen([PXDECODE, "--venue", "binance"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as p:
        p.stdin.write(QUOTE + b"\n")
        p.stdin.flush()
        assert p.stdout.readline() != b""
        p.send_signal(signal.SIGINT)
        assert p.wait(DEADLINE_S) == -signal.SIGINT
