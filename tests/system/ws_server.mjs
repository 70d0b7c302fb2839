// An independent WebSocket server on Node's ws: acknowledges any SUBSCRIBE, then sends the lines of a
// file as text messages, once. Usage: node ws_server.mjs FRAMES [CERT KEY]
import { createRequire } from 'node:module';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';

const { WebSocketServer } = createRequire(import.meta.url)('/usr/share/nodejs/ws');

const [frames, cert, key] = process.argv.slice(2);
const lines = fs.readFileSync(frames, 'utf8').split('\n').filter((line) => line !== '');
const server = cert
  ? https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) })
  : http.createServer();

new WebSocketServer({ server, perMessageDeflate: { threshold: 0 } }).on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (data) => {
    const request = JSON.parse(data);
    socket.send(JSON.stringify({ result: null, id: request.id }));
    for (const line of lines) socket.send(line);
  });
});
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on 127.0.0.1:${server.address().port}`);
});
process.on('SIGTERM', () => process.exit(0));
