// Numbers for people. A number and its unit stay on one line.
const NBSP = "\u00a0";

const two = n => String(n).padStart(2, "0");

// Of this browser's time zone.
export function clock(utc_ms) {
  const t = new Date(utc_ms);
  return `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())} ` +
    `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
}

export function bytes(value) {
  if (value === null || value === undefined)
    return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1023.95 && unit + 1 < units.length) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)}${NBSP}${units[unit]}`;
}

export function grouped(value) {
  return value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en-US");
}

export function duration(ms) {
  if (ms === null || ms === undefined)
    return "never";
  const s = Math.floor(ms / 1000);
  if (ms < 1000)
    return `${Math.round(ms)}${NBSP}ms`;
  if (s < 60)
    return `${(ms / 1000).toFixed(1)}${NBSP}s`;
  if (s < 3600)
    return `${Math.floor(s / 60)}${NBSP}min ${s % 60}${NBSP}s`;
  if (s < 86400)
    return `${Math.floor(s / 3600)}${NBSP}h ${Math.floor(s / 60) % 60}${NBSP}min`;
  return `${Math.floor(s / 86400)}${NBSP}d ${Math.floor(s / 3600) % 24}${NBSP}h`;
}
