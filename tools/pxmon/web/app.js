// The dashboard: numbers that pxmon sends each second, put into the page. Nothing here is computed that
// pxstat computes too; texts come from venues and readers and are only ever set as text.
import {Charts} from "/charts.js";
import {bytes, clock, duration, grouped} from "/format.js";
import {Tables} from "/tables.js";

const $ = id => document.getElementById(id);
const metaOf = (page, name) => page.querySelector(`meta[name="${name}"]`);
const meta = name => metaOf(document, name).content;
const LEVELS = ["good", "warn", "bad", "bad"];
const STANDSTILL = ["stalled", "gone", "closed", "retired", "absent"];
const RETRY_MS = [500, 1000, 2000, 5000];
const SILENT_MS = 5000;

const charts = new Charts();
const tables = new Tables($("tables"));
let state = null, restart = {phase: "idle"}, refusal = null, announced = "", tries = 0, lastMessage = 0, socket = null;

function text(id, value) {
  const element = $(id);
  if (element.textContent !== value)
    element.textContent = value;
}

function level(id, value) {
  $(id).dataset.level = value;
}

// For screen readers, and only when something changed for the worse or the better.
function announce(health) {
  const now = `${health.word} ${health.state}`;
  if (announced !== "" && announced !== now)
    text("announce", `The bus is now ${health.word.toLowerCase()}: ${health.text}`);
  announced = now;
}

// Where the feeder stands still no price is good, whatever pxstat calls it in its first five seconds.
function showHealth(health, bus) {
  const known = STANDSTILL.includes(health.state) ? "bad" : LEVELS[health.code];
  const now = known === "good" && BUSY.includes(restart.phase) ? "warn" : known;
  level("health", now);
  document.body.dataset.health = now;
  text("health-word", health.word);
  text("health-text", health.text);
  document.title = `${health.word} – px ${bus}`;
  announce(health);
}

function showNoLink() {
  text("link", "pxmon does not answer");
  level("link", "bad");
  level("health", "unknown");
  document.body.dataset.health = "unknown";
  text("health-word", "UNKNOWN");
  text("health-text", "pxmon does not answer, these numbers are old");
  document.title = "UNKNOWN – px";
  state = null;
  enableRestart();
}

function growthLevel(memory) {
  if (memory.growth_mb_per_hour === null)
    return "unknown";
  if (memory.trend !== "growing" || memory.growth_mb_per_hour < 1)
    return "good";
  return memory.growth_mb_per_hour < 50 ? "warn" : "bad";
}

function showMemory(memory) {
  text("memory", bytes(memory.rss_bytes));
  text("memory-note", `${bytes(memory.heap_bytes)} reserved, ${bytes(memory.shm_bytes)} shared`);
  const growth = memory.growth_mb_per_hour;
  level("growth-card", growthLevel(memory));
  text("growth", growth === null ? "not judged yet" : `${growth.toFixed(2)} MB/h`);
  const limit = memory.time_to_limit_s === null ? "" : `, limit in ${duration(memory.time_to_limit_s * 1000)}`;
  text("growth-note", growth === null ? "" : memory.trend + (memory.owner ? `: ${memory.owner}` : "") + limit);
}

function showCards(stat, row, old) {
  showMemory(stat.memory);
  const stale = stat.subscriptions.filter(s => s.state === "stale" || s.state === "gap").length;
  const carried = stat.subscriptions.filter(s => s.state === "carried").length;
  level("subscriptions-card",
    stale > 0 ? "bad" : carried > 0 ? "warn" : stat.subscriptions.length > 0 ? "good" : "unknown");
  text("subscriptions", grouped(stat.subscriptions.length));
  text("subscriptions-note",
    stale > 0 ? `${stale} stale or in gap` : carried > 0 ? `${carried} not refreshed yet` : "none stale");
  const live = stat.connections.filter(c => c.state === "live").length, all = stat.connections.length;
  const open = stat.connections.filter(c => c.breaker === "open").length;
  text("connections", `${live} of ${all} live`);
  text("connections-note", old ? "as the feeder last said" : open === 0 ? "" : `${open} breakers open`);
  level("connections-card", old ? "unknown" : open > 0 ? "bad" : live < all ? "warn" : all > 0 ? "good" : "unknown");
  text("feeder-state", stat.feeder.state);
  text("feeder-note", `epoch ${stat.bus.epoch}, pid ${stat.feeder.pid}, up ${duration(stat.feeder.uptime_s * 1000)}`);
  level("feeder-card", ["live", "idle"].includes(stat.feeder.state) ? "good" : "bad");
  text("ticks", row.ticks_per_s === null ? "–" : `${grouped(row.ticks_per_s)}/s`);
  text("ticks-note", `${grouped(stat.bus.sequence)} in all, heartbeat ${duration(stat.feeder.heartbeat_age_ms)} ago`);
}

function clearCards() {
  for (const id of ["memory", "growth", "subscriptions", "connections", "ticks"])
    text(id, "–");
  for (const id of ["memory-note", "growth-note", "subscriptions-note", "connections-note", "feeder-note", "ticks-note"])
    text(id, "");
  text("feeder-state", "no bus");
  for (const id of ["growth-card", "subscriptions-card", "connections-card", "feeder-card"])
    level(id, "unknown");
}

// -- restart --

// [step, the phase that begins when it is reached, what it says]
const STEPS = [
  ["asked", "asked", () => "asked"],
  ["down", "down", () => "feeder down"],
  ["epoch", "connecting", r => r.epoch > r.epoch_before ? `epoch ${r.epoch}` : "new epoch"],
  ["connections", "warming", r => `connections${ofAll(r.connections_live, r.connections)}`],
  ["symbols", "done", r => `symbols${ofAll(r.symbols_live, r.symbols)}`],
];
const BUSY = ["asked", "down", "connecting", "warming"];

function ofAll(live, all) {
  return all > 0 ? ` ${live} of ${all} live` : "";
}

function isReached(now, phase) {
  return now.at_ms?.[phase] !== undefined;
}

function showStep(now, [step, phase, words], current) {
  const item = $(`step-${step}`), reached = isReached(now, phase);
  text(`step-${step}`, words(now) + (reached ? `, ${duration(now.at_ms[phase])}` : ""));
  item.dataset.level = reached ? "good" : current && now.phase === "failed" ? "bad" : "";
  if (current)
    item.setAttribute("aria-current", "step");
  else
    item.removeAttribute("aria-current");
}

function showRestart(now) {
  if (BUSY.includes(now.phase))
    refusal = null;
  if (refusal !== null)
    now = {phase: "failed", text: refusal};
  restart = now;
  enableRestart();
  $("restart-steps").hidden = !now.at_ms;
  $("restart-progress").hidden = now.phase === "idle";
  if (now.phase === "idle")
    return;
  const next = STEPS.find(([, phase]) => !isReached(now, phase));
  for (const step of STEPS)
    showStep(now, step, step === next && now.phase !== "done");
  text("restart-time", now.start ? clock(now.start * 1000) : "");
  text("restart-text", now.text);
  $("restart-text").dataset.level = now.phase === "done" ? "good" : now.phase === "failed" ? "bad" : "";
}

function enableRestart() {
  const busy = BUSY.includes(restart.phase);
  $("restart").disabled = meta("px-restart") === "off" || busy || state === null || state.stat === null;
  if (meta("px-restart") === "off")
    $("restart").title = "this pxmon is read-only";
}

async function sendRestart() {
  const secret = meta("px-restart") === "token" ? $("restart-token").value.trim() : meta("px-secret");
  $("restart-token").value = "";
  $("restart-dialog").close();
  try {
    const reply = await fetch("/api/restart", {method: "POST", headers: {Authorization: `Bearer ${secret}`}});
    if (!reply.ok)
      refuse((await reply.text()).trim());
  } catch {
    refuse("pxmon does not answer");
  }
}

// Stays until a restart is under way: pxmon itself knows nothing of what it refused.
function refuse(reason) {
  refusal = reason;
  showRestart(restart);
}

function prepareRestart() {
  $("restart").addEventListener("click", () => {
    $("dialog-token").hidden = meta("px-restart") !== "token";
    $("restart-dialog").showModal();
    if (meta("px-restart") === "token")
      $("restart-token").focus();
  });
  $("restart-token").addEventListener("keydown", event => event.key === "Enter" && sendRestart());
  $("restart-cancel").addEventListener("click", () => $("restart-dialog").close());
  $("restart-confirm").addEventListener("click", sendRestart);
}

// -- the stream --

function take(message) {
  showRestart(message.restart);
  showHealth(message.health, message.bus);
  if (!message.columns)
    return; // news between two seconds
  state = message;
  text("bus", message.bus);
  const old = STANDSTILL.includes(message.health.state);
  const row = Object.fromEntries(message.columns.map((name, i) => [name, message.row[i]]));
  if (message.stat === null)
    clearCards();
  else
    showCards(message.stat, row, old);
  tables.show(message.stat, old);
  charts.add(message.columns, message.row);
  enableRestart();
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/live`, "px-live");
  socket.addEventListener("message", event => {
    tries = 0;
    lastMessage = performance.now();
    text("link", "live");
    level("link", "good");
    take(JSON.parse(event.data));
  });
  socket.addEventListener("close", () => {
    showNoLink();
    setTimeout(reconnect, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
  });
}

// Another pxmon may be there by now, with a secret of its own, or with a login.
async function reconnect() {
  try {
    const reply = await fetch("/");
    if (reply.status === 401) {
      location.reload();
      return;
    }
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    for (const name of ["px-secret", "px-restart"])
      metaOf(document, name).content = metaOf(page, name).content;
    connect();
  } catch {
    setTimeout(reconnect, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
  }
}

// A connection that is up and brings nothing is no connection.
setInterval(() => {
  if (socket !== null && socket.readyState === WebSocket.OPEN && performance.now() - lastMessage > SILENT_MS) {
    lastMessage = performance.now();
    socket.close();
  }
}, 1000);

for (const input of document.querySelectorAll('input[name="range"]'))
  input.addEventListener("change", () => charts.load(Number(input.value)));
prepareRestart();
charts.load(Number(document.querySelector('input[name="range"]:checked').value));
connect();
