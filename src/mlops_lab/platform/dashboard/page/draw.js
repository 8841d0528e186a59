// One function per type of panel: (element, panel, answer). `answer` is what /api/boards/UID/panels/ID gives.
import {axis, format} from "/page/format.js";

const LIGHT = ["#0072b2", "#c2500a", "#008060", "#a63d82", "#8a6100", "#2b7bba", "#6f42c1", "#5c6570"];
const DARK = ["#58b0ec", "#f2a154", "#3fcf9d", "#e69ccb", "#e6cf55", "#8fc1ff", "#c3a2ff", "#b5bdc8"];

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const isDark = () => style("--sheet") === "#1a2029";
const defaults = (panel) => panel.fieldConfig.defaults;
const last = (series) => series.points.length ? series.points[series.points.length - 1][1] : null;
const text = (panel, value) => {
  const mapping = (defaults(panel).mappings || []).find((each) => each.type === "value");
  const mapped = mapping && mapping.options[String(value)];
  return mapped ? mapped.text : format(value, defaults(panel).unit, defaults(panel).decimals);
};

export function colour(panel, value) {
  let name = "green";
  for (const step of defaults(panel).thresholds.steps) if (step.value === null || value >= step.value) name = step.color;
  return style({green: "--good", orange: "--warn", red: "--bad"}[name] || "--text");
}

function plot(element, traces, layout) {
  const quiet = style("--quiet"), grid = style("--grid");
  const base = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: {color: quiet, size: 11},
    margin: {l: 56, r: 14, t: 8, b: 24}, colorway: isDark() ? DARK : LIGHT, hovermode: "x unified", showlegend: traces.length > 0,
    legend: {orientation: "h", y: -0.12, x: 0, font: {color: style("--text")}},
    hoverlabel: {bgcolor: style("--sheet"), bordercolor: style("--line"), font: {color: style("--text")}},
    xaxis: {gridcolor: grid, zeroline: false}, yaxis: {gridcolor: grid, zeroline: false},
  };
  for (const key of ["xaxis", "yaxis", "legend", "margin"]) layout[key] = {...base[key], ...layout[key]};
  return Plotly.react(element, traces, {...base, ...layout}, {displayModeBar: false, responsive: true});
}

function times(answer) {
  return {type: "date", range: [answer.begin * 1000, answer.end * 1000].map((at) => local(at / 1000))};
}

// plotly takes a time without a zone as it stands, so it is given the reader's own.
const local = (at) => new Date(at * 1000 - new Date(at * 1000).getTimezoneOffset() * 60000).toISOString().slice(0, 19);

function lines(points, step) {
  const x = [], y = [];
  points.forEach(([at, value], index) => {
    if (index && at - points[index - 1][0] > step * 1.5) { x.push(local(at - step)); y.push(null); }
    x.push(local(at)); y.push(value);
  });
  return {x, y};
}

function timeseries(element, panel, answer) {
  const set = defaults(panel), custom = set.custom || {}, stacked = (custom.stacking || {}).mode === "normal";
  const traces = answer.series.map((series) => {
    const {x, y} = lines(series.points, answer.step);
    return {
      x, y, name: series.name, type: "scatter", mode: series.points.length < 2 ? "markers" : "lines", line: {width: custom.lineWidth || 2},
      text: y.map((value) => format(value, set.unit, set.decimals)), hovertemplate: "%{text}",
      ...(stacked ? {stackgroup: "one"} : {}),
    };
  });
  const shapes = [];
  if ((custom.thresholdsStyle || {}).mode === "line")
    for (const step of set.thresholds.steps)
      if (step.value !== null)
        shapes.push({type: "line", xref: "paper", x0: 0, x1: 1, y0: step.value, y1: step.value, line: {color: style("--bad"), width: 1, dash: "dash"}});
  const most = Math.max(0, ...answer.series.flatMap((series) => series.points.map(([, value]) => value ?? 0)));
  const yaxis = {...axis(set.unit, most), ...(set.min !== undefined ? {rangemode: "tozero"} : {})};
  return plot(element, traces, {xaxis: times(answer), yaxis, shapes});
}

function stat(element, panel, answer) {
  element.replaceChildren();
  const box = element.appendChild(document.createElement("div"));
  box.className = "stats";
  for (const series of answer.series) {
    const item = box.appendChild(document.createElement("span")), value = item.appendChild(document.createElement("b"));
    value.textContent = text(panel, last(series));
    value.style.color = colour(panel, last(series));
    if (answer.series.length > 1) item.appendChild(document.createElement("small")).textContent = series.name;
  }
}

function gauge(element, panel, answer) {
  const set = defaults(panel), value = last(answer.series[0]), most = set.max ?? 1, percent = set.unit === "percentunit", factor = percent ? 100 : 1;
  const steps = set.thresholds.steps.map((step, index, all) => ({
    range: [(step.value ?? set.min ?? 0) * factor, (index + 1 < all.length ? all[index + 1].value : most) * factor],
    color: {green: style("--good"), orange: style("--warn"), red: style("--bad")}[step.color] + "40",
  }));
  const trace = {
    type: "indicator", mode: "gauge+number", value: value === null ? null : value * factor,
    number: {suffix: percent ? " %" : "", valueformat: `.${set.decimals ?? (percent ? 0 : 2)}f`, font: {color: colour(panel, value), size: 26}},
    gauge: {
      axis: {range: [(set.min ?? 0) * factor, most * factor], tickcolor: style("--quiet")}, bar: {color: colour(panel, value), thickness: 0.6},
      bgcolor: "rgba(0,0,0,0)", bordercolor: style("--line"), borderwidth: 1, steps,
    },
  };
  return plot(element, [trace], {margin: {l: 36, r: 36, t: 18, b: 10}, showlegend: false});
}

function bargauge(element, panel, answer) {
  const set = defaults(panel), number = (series) => (series.labels.le === "+Inf" ? Infinity : Number(series.labels.le));
  const all = [...answer.series];
  if (all.length && all.every((series) => "le" in series.labels))
    all.sort((a, b) => (a.labels.of || "").localeCompare(b.labels.of || "") || number(a) - number(b));
  const values = all.map(last), names = all.map((series, index) => series.name || String(index));
  const trace = {
    type: "bar", orientation: "h", y: names, x: values, marker: {color: values.map((value) => colour(panel, value))},
    text: values.map((value) => text(panel, value)), textposition: "auto", hovertemplate: "%{y}: %{text}<extra></extra>",
    textfont: {color: isDark() ? "#0b0f14" : "#ffffff"}, outsidetextfont: {color: style("--text")}, insidetextanchor: "start",
  };
  const range = set.max !== undefined ? {range: [set.min ?? 0, set.max]} : {rangemode: "tozero"};
  return plot(element, [trace], {
    showlegend: false, hovermode: "closest", xaxis: {...axis(set.unit, Math.max(...values)), ...range}, bargap: 0.25,
    yaxis: {type: "category", autorange: "reversed", automargin: true, tickfont: {color: style("--text")}},
  });
}

function heatmap(element, panel, answer) {
  // Buckets count up to their bound: a cell is one less the one below it.
  const bound = (series) => (series.labels.le === "+Inf" ? Infinity : Number(series.labels.le));
  const buckets = [...answer.series].sort((a, b) => bound(a) - bound(b));
  const at = [...new Set(buckets.flatMap((series) => series.points.map(([time]) => time)))].sort((a, b) => a - b);
  const counts = buckets.map((series) => new Map(series.points));
  const z = counts.map((here, index) => at.map((time) => {
    if (!here.has(time)) return null;
    return Math.max(0, here.get(time) - (index ? counts[index - 1].get(time) ?? 0 : 0));
  }));
  const names = buckets.map((series) => (bound(series) === Infinity ? "more" : "≤ " + format(bound(series), defaults(panel).unit)));
  const trace = {
    type: "heatmap", x: at.map(local), y: names, z, xgap: 1, ygap: 1, colorbar: {thickness: 8, tickfont: {color: style("--quiet")}, outlinewidth: 0},
    colorscale: isDark() ? [[0, "#1a2029"], [0.3, "#1f5a8a"], [0.7, "#3fa7d6"], [1, "#d7f0ff"]] : [[0, "#ffffff"], [0.3, "#a9d0ee"], [0.7, "#2f83c0"], [1, "#08306b"]],
    hovertemplate: "%{y}: %{z:.4~g}<extra></extra>",
  };
  return plot(element, [trace], {xaxis: times(answer), yaxis: {type: "category", automargin: true}, hovermode: "closest", showlegend: false});
}

function table(element, panel, answer) {
  const labels = [], rows = new Map(), refs = [...new Set(answer.series.map((series) => series.ref))].sort();
  for (const series of answer.series) {
    const {__name__: _, ...own} = series.labels, key = JSON.stringify(own);
    for (const name of Object.keys(own)) if (!labels.includes(name)) labels.push(name);
    if (!rows.has(key)) rows.set(key, {own, values: {}});
    rows.get(key).values[series.ref] = last(series);
  }
  element.replaceChildren();
  const box = element.appendChild(document.createElement("div")), grid = box.appendChild(document.createElement("table"));
  box.className = "scroll";
  box.tabIndex = 0;
  const head = grid.createTHead().insertRow(), body = grid.createTBody();
  const cell = (row, kind, content, number) => {
    const made = row.appendChild(document.createElement(kind));
    made.textContent = content;
    if (number) made.className = "number";
  };
  labels.forEach((name) => cell(head, "th", name));
  refs.forEach((ref) => cell(head, "th", refs.length > 1 ? `Value ${ref}` : "Value", true));
  for (const {own, values} of rows.values()) {
    const row = body.insertRow();
    labels.forEach((name) => cell(row, "td", own[name] ?? ""));
    refs.forEach((ref) => cell(row, "td", ref in values ? text(panel, values[ref]) : "", true));
  }
}

const DRAW = {timeseries, stat, gauge, bargauge, heatmap, table};

export async function draw(element, panel, answer) {
  const missing = answer.errors.length ? ["error", answer.errors.join("; ")] : answer.series.length ? null : ["none", "No data"];
  const plotted = element.classList.contains("js-plotly-plot");
  if (missing || (element.firstChild && !plotted)) {
    if (plotted) Plotly.purge(element);
    element.className = "";
    element.replaceChildren();
  }
  if (!missing) return DRAW[panel.type](element, panel, answer);
  const note = element.appendChild(document.createElement("div"));
  [note.className, note.textContent] = missing;
}
