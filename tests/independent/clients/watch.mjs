// ccxt's client of one exchange on a simulated one. Prints one line of JSON, an array with an
// object for each thing watched: what was checked, how many updates came, whether it could be
// unwatched (null: the client cannot), and the error, if any. The connections stay open until
// standard input ends.
// Usage: node watch.mjs VENUE URL NODE_MODULES [KIND...]
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { venues } from './venues.mjs';

const PATIENCE_MS = 20000;
const AGE_MS = 3600000; // of the trades that an exchange begins with
const ENOUGH = { trades: 50, ticker: 3, quote: 50, book: 30, all: 2 };

const [venue, url, modules, ...kinds] = process.argv.slice(2);
const row = venues[venue];
// this one alone: all of ccxt takes seconds to load
const source = path.join(modules, 'ccxt/js/src/pro', `${row.client}.js`);
const { default: Client } = await import(pathToFileURL(source));
const { symbol } = row.market;

function check(ok, what) {
  if (!ok) throw new Error(what);
}

function checkPair(bid, ask) {
  check(bid > 0 && ask > bid, `a bid of ${bid}, an ask of ${ask}`);
}

// Ids are numbers, some behind the name of a currency, or have no order.
function checkTrade(trade, seen) {
  check(trade.symbol === symbol, `a trade of ${trade.symbol}`);
  check(trade.price > 0 && trade.amount > 0, `${trade.amount} for ${trade.price}`);
  check(trade.side === 'buy' || trade.side === 'sell', `the side ${trade.side}`);
  check(Math.abs(trade.timestamp - Date.now()) < AGE_MS, `the time ${trade.timestamp}`);
  check(!seen.ids.has(trade.id), `trade ${trade.id} twice`);
  seen.ids.add(trade.id);
  const number = /^(?:[A-Z]+-)?(\d+)$/.exec(trade.id);
  if (number === null) return;
  check(BigInt(number[1]) > seen.last, `trade ${number[1]} after ${seen.last}`);
  seen.last = BigInt(number[1]);
}

// Each returns how many updates it was.
const checks = {
  trades(got, seen) {
    for (const trade of got) checkTrade(trade, seen);
    return got.length;
  },
  ticker(got) {
    check(got.symbol === symbol, `a ticker of ${got.symbol}`);
    check(got.last > 0 && got.low > 0 && got.high >= got.low, `${got.low} ${got.last} ${got.high}`);
    check(got.last <= got.high && got.last >= got.low, `${got.low} ${got.last} ${got.high}`);
    check(got.baseVolume > 0, `a volume of ${got.baseVolume}`);
    if (got.bid !== undefined) checkPair(got.bid, got.ask);
    return 1;
  },
  quote(got) {
    check(got[symbol].symbol === symbol, `a quote of ${got[symbol].symbol}`);
    checkPair(got[symbol].bid, got[symbol].ask);
    return 1;
  },
  book(got) {
    check(got.symbol === symbol, `a book of ${got.symbol}`);
    if (got.bids.length === 0 || got.asks.length === 0) return 0;
    checkPair(got.bids[0][0], got.asks[0][0]);
    for (const [price, size] of [...got.bids, ...got.asks]) {
      check(price > 0 && size > 0, `a level of ${size} at ${price}`);
    }
    return 1;
  },
  all(got) {
    const tickers = Object.values(got);
    check(tickers.length > 0, 'no tickers');
    check(tickers.every((one) => one.last > 0), 'a ticker without a price');
    return 1;
  },
};

function newExchange() {
  const exchange = new Client({ newUpdates: true });
  exchange.urls.api.ws = row.ws(url);
  exchange.setMarkets([row.market]);
  exchange.fetch = (address) => { throw new Error(`REST is asked: ${address}`); };
  row.tune?.(exchange);
  return exchange;
}

async function patiently(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing came`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function watch(exchange, { kind, by, args }, result) {
  const seen = { ids: new Set(), last: -1n };
  while (result.updates < ENOUGH[kind]) {
    result.updates += checks[kind](await patiently(exchange[by](...args(symbol)), by), seen);
  }
}

// One after the other, as some clients want it.
async function unwatch(all) {
  for (const { exchange, wanted, result } of all) {
    if (wanted.undo === undefined || result.error !== undefined) continue;
    const args = (wanted.undoArgs ?? wanted.args)(symbol);
    await patiently(exchange[wanted.undo](...args), wanted.undo)
      .then(() => { result.unwatched = true; })
      .catch((error) => { result.error = String(error); });
  }
}

const shared = newExchange();
await shared.loadHttpProxyAgent(); // what ws: takes, which is not wss:
const all = row.watches.filter((wanted) => kinds.length === 0 || kinds.includes(wanted.kind))
  .map((wanted) => ({
    wanted, exchange: wanted.apart ? newExchange() : shared,
    result: { kind: wanted.kind, updates: 0, unwatched: wanted.undo === undefined ? null : false },
  }));
for (const { exchange } of all) exchange.httpAgent = shared.httpAgent;
await Promise.all(all.map(({ exchange, wanted, result }) =>
  watch(exchange, wanted, result).catch((error) => { result.error = String(error); })));
await unwatch(all);
console.log(JSON.stringify(all.map(({ result }) => result)));
process.stdin.on('end', () => process.exit(0)).resume();
