// Numbers for people.
export function bytes(value) {
  if (value === null || value === undefined)
    return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1023.95 && unit + 1 < units.length) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

export function grouped(value) {
  return value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en-US");
}

export function duration(ms) {
  if (ms === null || ms === undefined)
    return "never";
  const s = Math.floor(ms / 1000);
  if (ms < 1000)
    return `${Math.round(ms)} ms`;
  if (s < 60)
    return `${(ms / 1000).toFixed(1)} s`;
  if (s < 3600)
    return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400)
    return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}
