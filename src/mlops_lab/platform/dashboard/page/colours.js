// Colours of the page, which differ in light and dark, and Grafana's names for them.

const LIGHT = ["#0072b2", "#c2500a", "#008060", "#a63d82", "#8a6100", "#2b7bba", "#6f42c1", "#5c6570"];
const DARK = ["#58b0ec", "#f2a154", "#3fcf9d", "#e69ccb", "#e6cf55", "#8fc1ff", "#c3a2ff", "#b5bdc8"];
const NAMES = {green: "--good", orange: "--warn", yellow: "--warn", red: "--bad", blue: "--info", purple: "--other", gray: "--quiet", text: "--text"};

export const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const isDark = () => style("--sheet") === "#1a2029";
export const palette = () => (isDark() ? DARK : LIGHT);

// The colour that a dashboard calls so: `red`, `semi-dark-red`, `#c11f2b`, `rgb(1,2,3)`; nothing for a series' own.
export function paint(name) {
  if (!name) return "";
  if (name.startsWith("#") || name.startsWith("rgb")) return name;
  if (name === "transparent") return "rgba(0,0,0,0)";
  return style(NAMES[name.replace(/^(super-light|semi-dark|light|dark)-/, "")] || "--text");
}

export function faint(colour, opacity) {
  const found = /^#(..)(..)(..)$/.exec(colour);
  return found ? `rgba(${found.slice(1).map((part) => parseInt(part, 16)).join(",")},${opacity})` : colour;
}
