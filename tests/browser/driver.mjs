// Drives one Chromium by lines of JSON: [method, ...arguments] on stdin, {ok} or {error} on stdout.
// node driver.mjs MODULES CHROMIUM PROFILE
import {createRequire} from "node:module";
import {createInterface} from "node:readline";

const [modules, executablePath, profile] = process.argv.slice(2);
const {chromium} = createRequire(`${modules}/`)("playwright-core");
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const PATIENCE_MS = 20000;
const seen = {console: [], errors: [], requests: []};
let context, page;

// Sockets are told of beside requests.
function watch(one) {
  one.on("console", m => m.type() === "error" && seen.console.push(m.text()));
  one.on("pageerror", e => seen.errors.push(String(e)));
  one.on("websocket", s => seen.requests.push(s.url()));
  context.on("request", r => seen.requests.push(r.url()));
}

// Between two pages nothing is known yet.
function between(error) {
  if (!String(error).includes("Execution context was destroyed"))
    throw error;
  return null;
}

const methods = {
  async start(options) {
    context = await chromium.launchPersistentContext(profile, {executablePath, args: ARGS, locale: "en-US", ...options});
    context.setDefaultTimeout(PATIENCE_MS);
    [page] = context.pages();
    watch(page);
  },
  open: async url => (await page.goto(url)).status(),
  evaluate: expression => page.evaluate(expression).catch(between),
  click: selector => page.click(selector),
  fill: (selector, text) => page.fill(selector, text),
  press: key => page.keyboard.press(key),
  size: (width, height) => page.setViewportSize({width, height}),
  media: options => page.emulateMedia(options),
  shot: (path, options) => page.screenshot({path, ...options}).then(() => path),
  roles: selector => page.locator(selector).ariaSnapshot(),
  seen: async () => seen,
  stop: () => context.close(),
};

for await (const line of createInterface({input: process.stdin})) {
  const [method, ...args] = JSON.parse(line);
  const reply = await methods[method](...args).then(ok => ({ok: ok ?? null}), error => ({error: String(error)}));
  process.stdout.write(`${JSON.stringify(reply)}\n`);
  if (method === "stop")
    process.exit(0);
}
