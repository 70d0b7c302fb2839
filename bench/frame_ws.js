// Node's ws (Debian node-ws) with the work of frame_bare in its own terms: JSON.parse, the same
// fields into shared memory. frame_ws.js --port N --count N [--stamps]
'use strict';
const WebSocket = require('ws');

const option = (name, fallback) => {
  const at = process.argv.indexOf('--' + name);
  return at > 0 ? Number(process.argv[at + 1]) : fallback;
};
const count = option('count', 100000);
const stamps = process.argv.includes('--stamps');
const BASE = 1000000000000000n; // TRADE_STAMP_BASE
const ring = new BigInt64Array(new SharedArrayBuffer(65536 * 64));
const samples = [];
let seq = 0, cpu, wall;

const cpuNs = () => { const u = process.cpuUsage(); return (u.user + u.system) * 1000; };
const finish = () => {
  if (stamps) {
    samples.sort((a, b) => a - b);
    console.log('p50_ns ' + samples[Math.floor((samples.length - 1) * 0.5)]);
    console.log('p99_ns ' + samples[Math.floor((samples.length - 1) * 0.99)]);
    console.log('samples ' + samples.length);
  } else {
    const n = count - Math.floor(count / 5);
    console.log('cpu_ns ' + (cpuNs() - cpu) / n);
    console.log('wall_ns ' + Number(process.hrtime.bigint() - wall) / n);
  }
  process.exit(0);
};

const socket = new WebSocket('ws://127.0.0.1:' + option('port', 0) + '/ws',
                             { perMessageDeflate: false });
socket.on('open', () =>
  socket.send('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}'));
socket.on('message', (data) => {
  const d = JSON.parse(data).data;
  if (d === undefined) return; // the acknowledgement
  const at = (seq++ & 65535) * 8;
  const size = BigInt(d.q.replace('.', ''));
  ring[at + 1] = BigInt(d.p.replace('.', ''));
  ring[at + 2] = size;
  ring[at + 3] = BigInt(d.t);
  ring[at + 4] = BigInt(d.T);
  ring[at + 5] = d.m ? 1n : 0n;
  Atomics.store(ring, at, BigInt(seq));
  if (stamps) samples.push(Number(process.hrtime.bigint() - (size - BASE)));
  if (seq === Math.floor(count / 5)) { cpu = cpuNs(); wall = process.hrtime.bigint(); }
  if (seq === count) finish();
});
socket.on('error', (e) => { console.error('frame_ws.js: ' + e.message); process.exit(1); });
