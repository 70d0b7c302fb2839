// Tables that sort by a click on a head and filter as one types. Rows are reused, so that a text that is
// being selected or read stays where it is.
import {clock, duration, grouped} from "/format.js";

const QUALITY = {live: "good", quiet: "good", carried: "warn", gap: "warn", stale: "bad", closed: "bad"};
const latency = c => c.latency_us.p50 === null ? "–" : `${c.latency_us.p50} / ${c.latency_us.p99}`;

// [title, value to sort by, text to show, class, level]
const TABLES = [
  {id: "connections", title: "Connections", rows: s => s.connections, columns: [
    ["Venue", c => c.venue],
    ["State", c => c.state, null, "", (c, old) => old ? "unknown" : c.state === "live" ? "good" : "warn"],
    ["Breaker", c => c.breaker, null, "", c => c.breaker === "open" ? "bad" : ""],
    ["Messages", c => c.messages, c => grouped(c.messages), "number"],
    ["Last", c => c.message_age_ms ?? Infinity, c => duration(c.message_age_ms), "number"],
    ["Gaps", c => c.gaps, c => grouped(c.gaps), "number"],
    ["Reconnects", c => c.reconnects, c => grouped(c.reconnects), "number"],
    ["p50 / p99 µs", c => c.latency_us.p99 ?? -1, latency, "number"],
    ["Endpoint", c => c.endpoint, null, "long"],
    ["Reason", c => c.reason ?? "", null, "long"]]},
  {id: "subscriptions", title: "Subscriptions", rows: s => s.subscriptions, columns: [
    ["Symbol", c => c.symbol],
    ["Quality", c => c.state, null, "", c => QUALITY[c.state]],
    ["Age", c => c.age_ms ?? Infinity, c => duration(c.age_ms), "number"],
    ["Readers", c => c.readers, c => grouped(c.readers), "number"],
    ["Gaps", c => c.gaps, c => grouped(c.gaps), "number"],
    ["Kinds", c => c.kinds.join(", ")],
    ["Cause", c => c.text ?? c.cause ?? "", null, "long"]]},
  {id: "readers", title: "Readers", rows: s => s.readers, columns: [
    ["Reader", c => c.name],
    ["Pid", c => c.pid, null, "number"],
    ["Subscriptions", c => c.subscriptions, c => grouped(c.subscriptions), "number"],
    ["Lag", c => c.lag, c => grouped(c.lag), "number"],
    ["Lost", c => c.lost, c => grouped(c.lost), "number", c => c.lost > 0 ? "warn" : ""]]},
  {id: "errors", title: "Errors", rows: s => s.errors, columns: [
    ["Kind", c => c.kind],
    ["Count", c => c.count, c => grouped(c.count), "number"],
    ["Last", c => -c.last_utc_ns, c => clock(c.last_utc_ns / 1e6)],
    ["Text", c => c.text, null, "long"]]},
];

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

class Table {
  constructor(parent, spec) {
    this.spec = spec;
    this.data = [];
    this.by = 0;
    this.down = false;
    this.filter = make("input", {type: "search", id: `filter-${spec.id}`});
    this.filter.addEventListener("input", () => this.draw());
    this.count = make("span", {id: `count-${spec.id}`, className: "note"});
    const title = make("span", {id: `title-${spec.id}`}, spec.title);
    const what = make("span", {className: "hidden"}, `${spec.title.toLowerCase()} `);
    const label = make("label", {htmlFor: this.filter.id}, "Filter ", what, this.filter);
    this.heads = spec.columns.map((column, i) => this.head(column, i));
    this.body = make("tbody");
    const table = make("table", {id: `table-${spec.id}`}, make("thead", {}, make("tr", {}, ...this.heads)), this.body);
    table.setAttribute("aria-labelledby", title.id);
    this.empty = make("p", {className: "note empty"});
    const scroll = make("div", {className: "scroll", tabIndex: 0}, table, this.empty);
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-labelledby", title.id);
    const section = make("section", {}, make("div", {className: "bar"}, make("h2", {}, title, " ", this.count), label), scroll);
    section.setAttribute("aria-labelledby", title.id);
    parent.append(section);
  }

  head([name, , , kind], i) {
    const button = make("button", {type: "button"}, name);
    button.addEventListener("click", () => {
      this.down = this.by === i && !this.down;
      this.by = i;
      this.draw();
    });
    const th = make("th", {scope: "col"}, button);
    th.className = kind === "number" ? "number" : "";
    return th;
  }

  // `old`: the feeder stands still, so what it said of itself is what it last said.
  show(data, old) {
    this.data = data;
    this.old = old;
    this.draw();
  }

  chosen() {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const value = this.spec.columns[this.by][1];
    const has = row => {
      const all = this.spec.columns.map(c => String(c[1](row)).toLowerCase()).join(" ");
      return words.every(w => all.includes(w));
    };
    const order = (a, b) => a < b ? -1 : a > b ? 1 : 0;
    const rows = this.data.filter(has).sort((a, b) => order(value(a), value(b)));
    return this.down ? rows.reverse() : rows;
  }

  draw() {
    const rows = this.chosen();
    this.heads.forEach((th, i) => {
      if (i === this.by)
        th.setAttribute("aria-sort", this.down ? "descending" : "ascending");
      else
        th.removeAttribute("aria-sort");
    });
    const count = rows.length === this.data.length ? `${rows.length}` : `${rows.length} of ${this.data.length}`;
    if (this.count.textContent !== count)
      this.count.textContent = count;
    this.empty.hidden = rows.length > 0;
    this.empty.textContent = this.data.length > 0 ? "nothing of this kind" : "none";
    while (this.body.rows.length > rows.length)
      this.body.deleteRow(-1);
    while (this.body.rows.length < rows.length)
      this.body.append(make("tr", {}, ...this.spec.columns.map(c => make("td", {className: c[3] ?? ""}))));
    rows.forEach((row, i) => this.fill(this.body.rows[i], row));
  }

  fill(tr, row) {
    this.spec.columns.forEach(([, value, shown, , level], i) => {
      const cell = tr.cells[i], words = String(shown ? shown(row) : value(row));
      if (cell.textContent !== words)
        cell.textContent = words;
      const now = level ? level(row, this.old) : "";
      if ((cell.dataset.level ?? "") !== now)
        cell.dataset.level = now;
    });
  }
}

export class Tables {
  constructor(parent) {
    this.tables = TABLES.map(spec => new Table(parent, spec));
  }

  show(stat, old) {
    for (const table of this.tables)
      table.show(stat === null ? [] : table.spec.rows(stat), old);
  }
}
