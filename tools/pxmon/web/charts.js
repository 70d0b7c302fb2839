// The charts: history from the database, then each second as it comes. uPlot draws them; a sentence below
// each says what it shows.
/* global uPlot */
const $ = id => document.getElementById(id);
const RELOAD_MIN_MS = 10000;
const MIB = v => v === null ? null : v / 1048576;

const CHARTS = [
  {id: "memory", unit: " MiB", digits: 1, series: [
    ["resident", "rss_bytes", MIB], ["feeder", "feeder_bytes", MIB], ["websocket", "websocket_bytes", MIB],
    ["tls", "tls_bytes", MIB], ["json", "json_bytes", MIB]]},
  {id: "ticks", unit: "/s", digits: 0, series: [["ticks", "ticks_per_s"]]},
  {id: "latency", unit: " µs", digits: 1, series: [["p50", "p50_us"], ["p99", "p99_us"]]},
  {id: "gaps", unit: "", digits: 0, series: [["gaps", "gaps"], ["reconnects", "reconnects"]]},
  {id: "lag", unit: "", digits: 0, series: [["lag", "lag"], ["lost", "lost"]]},
];

// [step of the axis, mark, what is added below where the day, the hour or the minute is another]
const CLOCK = "{HH}:{mm}", DAY = "\n{D} {MMM}", YEAR = "\n{YYYY}";
const TIMES = [
  [86400 * 365, "{YYYY}", null, null, null, null, null, null, 1],
  [86400 * 28, "{MMM}", YEAR, null, null, null, null, null, 1],
  [86400, "{D} {MMM}", YEAR, null, null, null, null, null, 1],
  [60, CLOCK, DAY, null, DAY, null, null, null, 1],
  [1, ":{ss}", `${DAY} ${CLOCK}`, null, `${DAY} ${CLOCK}`, null, `\n${CLOCK}`, null, 1],
];

// s; rows are a second apart at least
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
  86400, 86400 * 2, 86400 * 7, 86400 * 28];

const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// The legend says the newest values, unless somebody points at others.
function showNewest(plot) {
  if (plot.cursor.idx === null || plot.cursor.left < 0)
    plot.setLegend({idx: plot.data[0].length - 1});
}

export class Charts {
  constructor() {
    this.range = 0;
    this.step = 1;
    this.columns = [];
    this.rows = [];
    this.plots = new Map();
    this.loaded = 0;
    this.request = 0;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.rebuild());
    new ResizeObserver(() => this.resize()).observe($("charts"));
  }

  async load(range) {
    const request = ++this.request;
    this.range = range;
    this.loaded = performance.now();
    try {
      const reply = await fetch(`/api/history?range=${range}`);
      if (!reply.ok)
        return;
      const data = await reply.json();
      if (request !== this.request)
        return;
      this.columns = data.columns;
      this.rows = data.rows;
      this.step = data.step_s;
      this.draw();
    } catch {
      // the stream tells that pxmon is away
    }
  }

  // A second is a row of its own where the charts have one a second; else they are asked for again.
  add(columns, row) {
    if (this.step === 1 && this.columns.length > 0) {
      if (this.rows.length > 0 && this.rows.at(-1)[0] >= row[0])
        return;
      this.rows.push(row);
      while (this.rows.length > 0 && this.rows[0][0] < row[0] - this.range)
        this.rows.shift();
      this.draw();
    } else if (performance.now() - this.loaded > Math.max(RELOAD_MIN_MS, this.step * 1000)) {
      this.load(this.range);
    }
  }

  // A hole in time is a hole in the line.
  data(chart) {
    const at = name => this.columns.indexOf(name);
    const times = [], values = chart.series.map(() => []);
    let before = null;
    for (const row of this.rows) {
      if (before !== null && row[0] - before > 2.5 * this.step) {
        times.push(before + this.step);
        values.forEach(v => v.push(null));
      }
      times.push(row[0]);
      chart.series.forEach(([, name, scale], i) => {
        const value = row[at(name)] ?? null;
        values[i].push(scale ? scale(value) : value);
      });
      before = row[0];
    }
    return [times, ...values];
  }

  options(chart, width) {
    const axis = {stroke: style("--dim"), grid: {stroke: style("--line"), width: 1}, ticks: {stroke: style("--line")}};
    const show = (u, v) => v === null || v === undefined ? "–" : v.toFixed(chart.digits) + chart.unit;
    return {
      width, height: 200,
      cursor: {y: false},
      scales: {y: {range: (u, low, high) => [0, high === null || high <= 0 ? 1 : high * 1.1]}},
      axes: [{...axis, values: TIMES, incrs: STEPS_S}, {...axis, size: 60}],
      series: [{label: "time", value: "{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}"}, ...chart.series.map(([label], i) => ({
        label, value: show, stroke: style(`--series-${i + 1}`), width: 1.5, points: {show: () => this.rows.length < 3}}))],
    };
  }

  summary(chart, data) {
    const parts = chart.series.map(([label], i) => {
      const known = data[i + 1].filter(v => v !== null);
      if (known.length === 0)
        return `${label} not known`;
      const low = known.reduce((a, b) => Math.min(a, b)), high = known.reduce((a, b) => Math.max(a, b));
      const f = v => v.toFixed(chart.digits) + chart.unit;
      const range = f(low) === f(high) ? "all the time" : `from ${f(low)} to ${f(high)}`;
      return `${label} ${f(known.at(-1))}, ${range}`;
    });
    return parts.join("; ");
  }

  draw() {
    for (const chart of CHARTS) {
      const data = this.data(chart), box = $(`chart-${chart.id}`), summary = this.summary(chart, data);
      $(`summary-${chart.id}`).textContent = summary;
      if (typeof uPlot !== "function")
        continue; // it could not start in this browser: the sentence is what there is
      if (!this.plots.has(chart.id))
        this.plots.set(chart.id, new uPlot(this.options(chart, box.clientWidth || 300), data, box));
      else
        this.plots.get(chart.id).setData(data);
      showNewest(this.plots.get(chart.id));
      const canvas = box.querySelector("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-labelledby", `summary-${chart.id}`);
    }
  }

  rebuild() {
    for (const plot of this.plots.values())
      plot.destroy();
    this.plots.clear();
    this.draw();
  }

  resize() {
    for (const [id, plot] of this.plots) {
      const width = $(`chart-${id}`).clientWidth;
      if (width > 0 && width !== plot.width)
        plot.setSize({width, height: 200});
    }
  }
}
