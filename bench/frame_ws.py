"""Python's websockets with the work of frame_bare in its own terms: json.loads, the same fields
into shared memory. frame_ws.py --port N --count N [--stamps]"""

import argparse
import asyncio
import json
import mmap
import os
import struct
import sys
import time

import websockets

STAMP_BASE = 10**15  # TRADE_STAMP_BASE
ENTRIES = 65536


def report(options, samples, cpu, wall):
    if options.stamps:
        samples.sort()
        last = len(samples) - 1
        print(f"p50_ns {samples[last // 2]}\np99_ns {samples[int(last * 0.99)]}")
        print(f"samples {len(samples)}")
        return
    n = options.count - options.count // 5
    print(f"cpu_ns {(time.process_time_ns() - cpu) / n}")
    print(f"wall_ns {(time.monotonic_ns() - wall) / n}")


async def receive(options):
    ring = mmap.mmap(-1, ENTRIES * 64)
    pack = struct.Struct("<QQQQQQ").pack_into
    samples, seq, cpu, wall = [], 0, 0, 0
    url = f"ws://127.0.0.1:{options.port}/ws"
    async with websockets.connect(url, compression=None, ping_interval=None) as socket:
        await socket.send('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}')
        async for message in socket:
            data = json.loads(message).get("data")
            if data is None:
                continue  # the acknowledgement
            seq += 1
            size = int(data["q"].replace(".", ""))
            pack(ring, (seq & (ENTRIES - 1)) * 64, seq, int(data["p"].replace(".", "")), size,
                 data["t"], data["T"], data["m"])
            if options.stamps:
                samples.append(time.monotonic_ns() - (size - STAMP_BASE))
            if seq == options.count // 5:
                cpu, wall = time.process_time_ns(), time.monotonic_ns()
            if seq == options.count:
                report(options, samples, cpu, wall)
                sys.stdout.flush()
                os._exit(0)  # no closing handshake: the sender answers none


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--count", type=int)
    parser.add_argument("--stamps", action="store_true")
    asyncio.run(receive(parser.parse_args()))


if __name__ == "__main__":
    main()
