// What ccxt's client of each exchange is asked: one row for each venue of pxsim that ccxt has.
//   client   ccxt's class
//   ws       urls.api.ws of the client, for the address of a simulated exchange
//   market   the one instrument it knows; ccxt would ask for all of them by REST
//   tune     what has to be set besides, once
//   watches  kind: what is checked; by, undo: ccxt's methods; args, undoArgs: theirs, the same
//            unless said; apart: on a connection of its own
// Lines are those of ccxt 4.5.84, js/src/pro.

function instrument(id, base, quote, more) {
  return {
    id, lowercaseId: id.toLowerCase(), base, quote, baseId: base, quoteId: quote, active: true,
    precision: { price: 0.01, amount: 1e-8 }, info: {}, ...more,
  };
}

function spot(id, base, quote) {
  return instrument(id, base, quote,
    { symbol: `${base}/${quote}`, type: 'spot', spot: true, contract: false });
}

function perpetual(id, base, quote, settle) {
  return instrument(id, base, quote, {
    symbol: `${base}/${quote}:${settle}`, settle, settleId: settle, type: 'swap', spot: false,
    swap: true, contract: true, contractSize: 1, linear: settle === quote,
    inverse: settle !== quote,
  });
}

const one = (symbol) => [symbol];
const list = (symbol) => [[symbol]];
const trades = { kind: 'trades', by: 'watchTrades', undo: 'unWatchTrades', args: one };
const ticker = { kind: 'ticker', by: 'watchTicker', undo: 'unWatchTicker', args: one };
const quote = { kind: 'quote', by: 'watchBidsAsks', undo: 'unWatchBidsAsks', args: list };
const book = { kind: 'book', by: 'watchOrderBook', undo: 'unWatchOrderBook', args: one };

const forGood = (watch) => ({ ...watch, undo: undefined });
const apart = (watch) => ({ ...watch, apart: true });

// A book of changes begins for ccxt with a snapshot by REST. This one is empty and of the state
// that the last change in the client's buffer follows; that each change follows the one before is
// still checked by the client. Not the first one: coin-margined futures go through the buffer by the rule
// of spot (binance.js:994), which leaves out what is not numbered without a gap, as theirs are not.
function snapshotBefore(numberOf) {
  return (exchange) => {
    exchange.fetchRestOrderBookSafe = async (symbol) => {
      const { cache } = exchange.orderbooks[symbol];
      while (cache.length === 0) await exchange.sleep(10);
      return { symbol, bids: [], asks: [], nonce: numberOf(cache.at(-1)), timestamp: undefined };
    };
  };
}

const before = snapshotBefore((change) => change.U - 1);
const within = snapshotBefore((change) => change.U);

function binance(client, market, tune) {
  const full = (symbol) => [symbol, { name: 'ticker' }];
  const all = { kind: 'all', by: 'watchTickers', undo: 'unWatchTickers', args: () => [] };
  return {
    client, market, tune, watches: [trades, { ...ticker, args: full }, quote, book, all],
    ws: (at) => ({ spot: `${at}/ws`, future: `${at}/ws`, delivery: `${at}/ws` }),
  };
}

// Books of all depths share one place in the client (bybit.js:1028), and best prices are a book.
// There is no unWatchBidsAsks. Futures' books are of 50 levels when they are watched and of 500
// when they no longer are (bybit.js:952).
function bybit(market) {
  const deep = { ...book, undoArgs: (symbol) => [symbol, { limit: 50 }] };
  return {
    client: 'bybit', market, watches: [trades, ticker, apart(forGood(quote)), deep],
    ws: (at) => ({ public: { spot: `${at}/v5/public/spot`, linear: `${at}/v5/public/linear` } }),
  };
}

// The channel that ccxt knows wants a login (coinbaseexchange.js:393); this one has the same
// messages and does not. Nothing can be unwatched.
const coinbaseBook = {
  ...forGood(book), args: (symbol) => [symbol, undefined, { channels: ['level2_batch'] }],
};

// The client's checksum is of texts (kraken.js:1016) where JSON has given numbers: it has never
// passed, and is off unless asked for. Here the numbers get back the digits that the venue sends,
// those of prices and sizes in turn.
function krakenChecksum(exchange) {
  const digits = exchange.formatNumber.bind(exchange);
  let turn = 0;
  exchange.formatNumber = (number) => digits(number.toFixed(turn++ % 2 === 0 ? 2 : 8));
  exchange.options.watchOrderBook.checksum = true;
}

export const venues = {
  binance: binance('binance', spot('BTCUSDT', 'BTC', 'USDT'), before),
  binance_us: binance('binanceus', spot('BTCUSDT', 'BTC', 'USDT'), before),
  binance_usdm: binance('binanceusdm', perpetual('BTCUSDT', 'BTC', 'USDT', 'USDT'), within),
  binance_coinm: binance('binancecoinm', perpetual('BTCUSD_PERP', 'BTC', 'USD', 'BTC'), before),
  coinbase: {
    client: 'coinbaseexchange', market: spot('BTC-USD', 'BTC', 'USD'), ws: (at) => at,
    watches: [forGood(trades), forGood(ticker), coinbaseBook],
    tune: (exchange) => { exchange.authenticate = () => ({}); },
  },
  coinbase_at: {
    // That something is unsubscribed is seen only when nothing else is left on the connection
    // (coinbase.js:975), and there is no unWatchOrderBook.
    client: 'coinbase', market: spot('BTC-USD', 'BTC', 'USD'), ws: (at) => at,
    watches: [apart(trades), apart(ticker), forGood(ticker), forGood(book)],
  },
  kraken: {
    // Nothing can be unwatched.
    client: 'kraken', market: spot('BTC/USD', 'BTC', 'USD'), ws: (at) => ({ publicV2: `${at}/v2` }),
    watches: [forGood(trades), forGood(ticker), forGood(book)], tune: krakenChecksum,
  },
  bybit: bybit(spot('BTCUSDT', 'BTC', 'USDT')),
  bybit_linear: bybit(perpetual('BTCUSDT', 'BTC', 'USDT', 'USDT')),
  okx: {
    // There is no unWatchBidsAsks, and books have no checksum any more: their numbers are checked.
    client: 'okx', market: spot('BTC-USDT', 'BTC', 'USDT'), ws: (at) => `${at}/ws/v5`,
    watches: [trades, ticker, forGood(quote), book],
  },
  bitstamp: {
    // There is no watchTicker and no watchBidsAsks, as the venue has no such channels.
    client: 'bitstamp', market: spot('btcusd', 'BTC', 'USD'), ws: (at) => at,
    watches: [trades, book], tune: snapshotBefore((change) => Number(change.microtimestamp)),
  },
  deribit: {
    // Nothing can be unwatched.
    client: 'deribit', market: perpetual('BTC-PERPETUAL', 'BTC', 'USD', 'BTC'),
    ws: (at) => `${at}/ws/api/v2`,
    watches: [forGood(trades), forGood(ticker), forGood(quote), forGood(book)],
  },
};
