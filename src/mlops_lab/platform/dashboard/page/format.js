// Numbers as people read them, by the units that Grafana names.

const SI = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
const BINARY = [[2 ** 40, "Ti"], [2 ** 30, "Gi"], [2 ** 20, "Mi"], [2 ** 10, "Ki"]];

function digits(value, decimals) {
  if (decimals !== undefined && decimals !== null) return value.toFixed(decimals);
  const size = Math.abs(value);
  return Number(value.toPrecision(size >= 100 ? 4 : 3)).toString();
}

function scaled(value, steps, decimals) {
  for (const [size, letter] of steps) if (Math.abs(value) >= size) return digits(value / size) + letter;
  return digits(value, decimals);
}

function duration(value, decimals) {
  const size = Math.abs(value);
  if (size === 0) return "0 s";
  if (size < 1e-3) return digits(value * 1e6) + " µs";
  if (size < 1) return digits(value * 1e3) + " ms";
  if (size < 120) return digits(value, decimals) + " s";
  return size < 7200 ? digits(value / 60) + " min" : digits(value / 3600) + " h";
}

export function format(value, unit, decimals) {
  if (value === null || value === undefined) return "–";
  switch (unit) {
    case "percentunit": return digits(value * 100, decimals) + " %";
    case "s": return duration(value, decimals);
    case "bytes": return scaled(value, BINARY) + "B";
    case "Bps": return scaled(value, SI) + "B/s";
    case "reqps": return scaled(value, SI, decimals) + "/s";
    case "currencyEUR": return "€ " + digits(value, decimals);
    default: return scaled(value, SI, decimals);
  }
}

// What an axis of plotly's is told, by the unit and the largest value; its own numbers are good enough there.
export function axis(unit, most) {
  switch (unit) {
    case "percentunit": return {tickformat: ".3~%"};
    case "s": return {tickformat: "~s", ticksuffix: "s"};
    case "bytes": return {tickformat: "~s", ticksuffix: "B"};
    case "Bps": return {tickformat: "~s", ticksuffix: "B/s"};
    case "reqps": return {tickformat: "~s", ticksuffix: "/s"};
    case "currencyEUR": return {tickprefix: "€ "};
    default: return {tickformat: most < 1000 ? "~g" : "~s"};
  }
}
