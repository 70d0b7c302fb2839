"""Binance frames of every kind of damage through pxdecode and through a second reader, written in Python
after the venue's documents alone: the same ticks, digit for digit, or refused by both."""
import json
import os
import pathlib
import random
import re
import subprocess
from decimal import Decimal

import pytest

SOURCE = pathlib.Path(os.environ["PX_SOURCE"])
PXDECODE = os.path.join(os.environ["PX_BUILD"], "bin", "pxdecode")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class Refused(Exception):
    """This object is not what it says that it is."""


class Number(str):
    """The characters of a JSON number."""


class Fields(list):
    """An object as it stands: pairs, keys that occur twice included."""


def no_constant(name):
    raise ValueError(name)


def parse(text):
    """Python's reader is lax with NaN, with control characters in numbers' places and with surrogates."""
    frame = json.loads(text.decode("utf-8"), parse_int=Number, parse_float=Number,
                       parse_constant=no_constant, object_pairs_hook=Fields)
    json.dumps(frame, ensure_ascii=False).encode("utf-8")  # lone surrogates end here
    return frame


def get(o, key):
    values = [v for k, v in o if k == key]
    if len(values) > 1:
        raise Refused
    return values[0] if values else None


def seen(o, key):
    return any(k == key for k, _ in o)


def decimal(value):
    """Plain notation. What does not fit 63 bits and 30 decimals is refused."""
    match = NUMBER.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Refused
    whole, fraction, exponent = match.groups(default="")
    digits = int(whole + fraction[1:])
    places = int(exponent[1:] or "0") - len(fraction[1:])
    if digits == 0:
        places = min(places, 0)
        value = f"0e{places}" if places >= -30 else value
    if not -30 <= places <= 30 or digits * 10 ** max(places, 0) >= 2**63:
        raise Refused
    return format(Decimal(value), "f")


def integer(value):
    if not isinstance(value, Number) or not re.fullmatch("[0-9]+", value) or int(value) >= 2**64:
        raise Refused
    return int(value)


def time_ns(value):
    n = integer(value)
    if n <= (2**63 - 1) // 10**6:
        return n * 10**6 or None
    if 10**14 <= n <= (2**63 - 1) // 1000:
        return n * 1000
    raise Refused


def symbol(o):
    s = get(o, "s")
    if not isinstance(s, str) or isinstance(s, Number) or not s:
        raise Refused
    if any(c <= " " or c == "\x7f" for c in s):
        raise Refused
    return s


def trade(o, letter):
    maker = get(o, "m")
    if maker is not True and maker is not False:
        raise Refused
    return [{"kind": "trade", "symbol": symbol(o), "price": decimal(get(o, "p")),
             "size": decimal(get(o, "q")), "side": "sell" if maker else "buy",
             "trade_id": str(get(o, letter)) if integer(get(o, letter)) >= 0 else None,
             "exch_ts_ns": time_ns(get(o, "T"))}]


def prices(o):
    return {"bid": decimal(get(o, "b")), "bid_size": decimal(get(o, "B")),
            "ask": decimal(get(o, "a")), "ask_size": decimal(get(o, "A"))}


def quote(o):
    integer(get(o, "u"))
    stamp = "T" if seen(o, "T") else "E"
    return [{"kind": "quote", "symbol": symbol(o), **prices(o),
             "exch_ts_ns": time_ns(get(o, stamp)) if seen(o, stamp) else None}]


def ticker(o, full):
    head = {"symbol": symbol(o), "exch_ts_ns": time_ns(get(o, "E"))}
    ticks = [{"kind": "ticker", **head, "last": decimal(get(o, "c")), "open": decimal(get(o, "o")),
              "high": decimal(get(o, "h")), "low": decimal(get(o, "l"))}]
    if full and any(seen(o, k) for k in "bBaA"):
        ticks.append({"kind": "quote", **head, **prices(o)})
    return ticks


KINDS = {"trade": lambda o: trade(o, "t"), "aggTrade": lambda o: trade(o, "a"),
         "bookTicker": quote, "24hrTicker": lambda o: ticker(o, True),
         "24hrMiniTicker": lambda o: ticker(o, False), "serverShutdown": lambda o: []}
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
ENVELOPE = ("stream", "data", "result", "id", "error", "code", "msg")


def on_bus(ticks, venue):
    """A bus has room for 47 bytes of a symbol."""
    for tick in ticks:
        tick["symbol"] = f"{venue}:{tick['symbol']}"
        if len(tick["symbol"].encode()) > 47:
            raise Refused
    return ticks


def event(o, stream, venue):
    """The ticks of one object, and 1 if it is refused."""
    try:
        name = get(o, "e")
        if seen(o, "e"):
            if not isinstance(name, str) or isinstance(name, Number):
                raise Refused
        elif stream.endswith("bookTicker") or all(seen(o, k) for k in "us") or \
                all(seen(o, k) for k in "bBaA"):
            name = "bookTicker"
        if name not in KINDS:
            return [], 0
        for key in (*LETTERS, *ENVELOPE):
            get(o, key)
        return on_bus(KINDS[name](o), venue), 0
    except Refused:
        return [], 1


def array(elements, stream, venue):
    ticks, refused = [], 0
    for o in elements:
        if isinstance(o, Fields):
            more, bad = event(o, stream, venue)
            ticks += more
            refused += bad
    return ticks, refused


def read(text, venue):
    """The ticks of a frame and the number of its refusals."""
    try:
        frame = parse(text)
        if isinstance(frame, list) and not isinstance(frame, Fields):
            return array(frame, "", venue)
        if not isinstance(frame, Fields):
            return [], 0
        for key in ENVELOPE:
            get(frame, key)
        stream = get(frame, "stream")
        if seen(frame, "stream") and (not isinstance(stream, str) or isinstance(stream, Number)):
            raise Refused
        if not seen(frame, "data"):
            return event(frame, "", venue)
        data = get(frame, "data")
        if isinstance(data, Fields):
            return event(data, stream or "", venue)
        return array(data, stream or "", venue) if isinstance(data, list) else ([], 0)
    except (Refused, ValueError, RecursionError):
        return [], 1


def pxdecode(frames, venue):
    run = subprocess.run([PXDECODE, "--venue", venue, "--json"], capture_output=True,
                         input=b"\n".join(frames) + b"\n", timeout=60)
    assert run.returncode == 0
    summary = re.search(rb"stdin: (\d+) refused in (\d+) frames", run.stderr)
    by_frame = {}
    for line in run.stdout.splitlines():
        tick = json.loads(line)
        frame = tick.pop("frame")
        for key in ("seq", "recv_ts_ns"):
            assert tick.pop(key) is None
        assert tick.pop("flags") == []
        by_frame.setdefault(frame, []).append(tick)
    return by_frame, int(summary.group(1)) if summary else 0


def compare(frames, venue):
    ours, refused = pxdecode(frames, venue)
    ticks = theirs = 0
    for n, frame in enumerate(frames, 1):
        want, bad = read(frame, venue)
        assert ours.get(n, []) == want, frame
        ticks += len(want)
        theirs += bad
    assert refused == theirs
    return ticks, refused


def own_frames(venue):
    return (SOURCE / f"tests/frames/{venue}.frames").read_bytes().splitlines()


WORDS = [b"0", b"-", b".", b"e5", b"E-3", b"null", b'"', b"\\", b"\\u0031", b"{", b"}", b"[", b"]",
         b",", b":", b" ", b"true", b"00", b"99999999999999999999", b'"p":"7",', b"\x7f", b"\x14"]


def mutate(chance, frame, other):
    out = bytearray(frame)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(out) + 1)
        way = chance.randrange(6)
        if way == 0 and at < len(out):
            out[at] ^= 1 << chance.randrange(8)
        elif way == 1:
            del out[at:at + chance.randint(1, 5)]
        elif way == 2:
            out[at:at] = chance.choice(WORDS)
        elif way == 3:
            start = chance.randrange(len(other))
            out[at:at] = other[start:start + chance.randint(1, 60)]
        elif way == 4:
            digits = [i for i, c in enumerate(out) if 48 <= c <= 57]
            if digits:
                out[chance.choice(digits)] = 48 + chance.randrange(10)
        elif chance.randrange(4) == 0:
            del out[at:]
        if not out:
            break
    return bytes(out).replace(b"\n", b" ")


def shuffled(chance, value):
    """The same document with its fields in another order, blanks and escapes."""
    if isinstance(value, Fields):
        fields = list(value)
        chance.shuffle(fields)
        blank = chance.choice(["", " "])
        return "{" + ",".join(f"{blank}{json.dumps(k)}{blank}:{shuffled(chance, v)}"
                              for k, v in fields) + "}"
    if isinstance(value, list):
        return "[" + ",".join(shuffled(chance, v) for v in value) + "]"
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str) and value and chance.randrange(4) == 0:
        return '"' + "".join(f"\\u{ord(c):04x}" for c in value) + '"'
    return json.dumps(value, ensure_ascii=chance.randrange(2) == 0)


family = pytest.mark.parametrize("venue", ["binance", "binance_usdm", "binance_coinm"])


@family
def test_own_frames_give_what_a_second_reader_reads(venue):
    ticks, refused = compare(own_frames(venue), venue)
    assert ticks >= 12 and refused >= 7


@family
def test_frames_with_fields_in_any_order_give_what_a_second_reader_reads(venue):
    chance = random.Random(1)
    frames = []
    for frame in own_frames(venue):
        try:
            value = parse(frame)
        except ValueError:
            continue
        frames += [shuffled(chance, value).encode() for _ in range(40)]
    ticks, _ = compare(frames, venue)
    assert ticks > 500


@family
def test_damaged_frames_give_what_a_second_reader_reads(venue):
    chance = random.Random(2)
    own = own_frames(venue)
    frames = [mutate(chance, chance.choice(own), chance.choice(own)) for _ in range(20000)]
    ticks, refused = compare(frames, venue)
    assert ticks > 1500 and refused > 5000


def odd_number(chance):
    digits = "".join(chance.choice("0123456789") for _ in range(chance.choice([0, 1, 3, 9, 18, 19, 20])))
    text = chance.choice(["", "-", "+", "0", ""]) + digits
    if chance.randrange(3):
        text += "." + "".join(chance.choice("00123456789") for _ in range(chance.choice([0, 1, 8, 29, 31])))
    if chance.randrange(4) == 0:
        text += chance.choice("eE") + chance.choice(["", "-", "+"]) + str(chance.choice(
            [0, 1, 3, 8, 17, 18, 19, 29, 30, 31, 400, 10**30, ""]))
    if chance.randrange(20) == 0:
        text = text.replace("1", chance.choice(["", "x", " ", "NaN", "1_", "٣", "."]), 1)
    return text


def test_a_hundred_thousand_decimals_are_what_python_says_they_are():
    chance = random.Random(3)
    texts = [odd_number(chance) for _ in range(100000)]
    frames = [json.dumps({"u": 1, "s": "X", "b": t, "B": "1", "a": "1", "A": "1"}).encode()
              for t in texts]
    ours, refused = pxdecode(frames, "binance")
    taken = 0
    for n, text in enumerate(texts, 1):
        try:
            want = decimal(text)
        except Refused:
            assert n not in ours, text
            continue
        assert ours[n][0]["bid"] == want, text
        taken += 1
    assert refused == len(texts) - taken
    assert taken > 15000 and refused > 15000
