"""An independent WebSocket server on Python's websockets: acknowledges any SUBSCRIBE, then sends the
lines of a file as text messages, once, every seventh in three fragments; compressed if the client
offers that. Usage: ws_server.py FRAMES [CERT KEY]"""
import asyncio
import json
import ssl
import sys

import websockets

frames, *tls = sys.argv[1:]
lines = [line for line in open(frames, encoding="utf-8").read().split("\n") if line]


async def serve(socket, _path=None):
    request = json.loads(await socket.recv())
    await socket.send(json.dumps({"result": None, "id": request["id"]}))
    for i, line in enumerate(lines):
        await socket.send(line if i % 7 else [line[:20], line[20:50], line[50:]])
    await socket.wait_closed()


async def main():
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
    async with websockets.serve(serve, "127.0.0.1", 0, ssl=context, compression="deflate") as server:
        print(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.Future()


asyncio.run(main())
