// Draws a panel with what /api/boards/UID/panels/ID says of it: plots by plotly, the others as HTML.
import {faint, paint, palette, style} from "/page/colours.js";
import {bargauge, gauge, heatmap, piechart, timeseries} from "/page/plots.js";

const add = (parent, name, content = "", more = {}) => parent.appendChild(Object.assign(document.createElement(name), {textContent: content, ...more}));

function sparkline(points, colour) {
  const known = points.filter(([, value]) => value !== null);
  if (known.length < 2) return null;
  const holder = document.createElement("template");
  holder.innerHTML = '<svg viewBox="0 0 100 40" preserveAspectRatio="none"><path></path></svg>';
  const svg = holder.content.firstChild, path = svg.firstChild;
  const [first, last] = [known[0][0], known[known.length - 1][0]], values = known.map(([, value]) => value), low = Math.min(...values), size = Math.max(...values) - low || 1;
  const dots = known.map(([at, value]) => `${((at - first) / (last - first || 1)) * 100},${38 - ((value - low) / size) * 36}`);
  path.setAttribute("d", `M${dots.join("L")}L100,40L0,40Z`);
  path.setAttribute("fill", faint(colour, 0.2));
  path.setAttribute("stroke", colour);
  return svg;
}

function stat(element, panel, answer) {
  const {colorMode = "value", textMode = "auto", graphMode = "area", orientation = "auto"} = panel.options || {};
  element.replaceChildren();
  const box = add(element, "div", "", {className: orientation === "horizontal" ? "stats horizontal" : "stats"});
  answer.values.forEach(({name, text, colour}, index) => {
    const item = add(box, "span"), hue = paint(colour) || palette()[index % 8];
    if (colorMode.startsWith("background")) Object.assign(item.style, {background: hue, borderRadius: "4px", padding: "4px 12px"});
    const own = colorMode === "none" ? style("--text") : colorMode.startsWith("background") ? style("--sheet") : hue;
    if (!["name", "none"].includes(textMode)) add(item, "b", text).style.color = own;
    if (["name", "value_and_name"].includes(textMode) || (textMode === "auto" && answer.values.length > 1)) add(item, "small", name);
    const graph = graphMode === "area" && answer.series[index] ? sparkline(answer.series[index].points, hue) : null;
    if (graph) item.append(graph);
  });
}

function table(element, panel, answer) {
  const chosen = Math.min(Number(element.dataset.frame || 0), answer.tables.length - 1), {columns, rows} = answer.tables[chosen];
  element.replaceChildren();
  const box = add(element, "div", "", {className: "scroll", tabIndex: 0});
  if (answer.tables.length > 1) { // as Grafana does with the answers of several queries
    const select = add(box, "select", "", {ariaLabel: "Query"});
    answer.tables.forEach(({ref}, index) => add(select, "option", ref, {value: index, selected: index === chosen}));
    select.onchange = () => { element.dataset.frame = select.value; table(element, panel, answer); };
  }
  const grid = add(box, "table"), body = grid.createTBody();
  const side = ({kind}) => (kind === "number" ? "number" : "");
  if ((panel.options || {}).showHeader !== false) {
    const head = grid.createTHead().insertRow();
    columns.forEach((column) => add(head, "th", column.name, {className: side(column)}));
  }
  for (const cells of rows) {
    const row = body.insertRow();
    cells.forEach((cell, index) => {
      const made = add(row, "td", "at" in cell ? new Date(cell.at * 1000).toLocaleString() : cell.text, {className: side(columns[index])});
      if (columns[index].fill === "color-text") made.style.color = paint(cell.colour);
      if (columns[index].fill === "color-background") Object.assign(made.style, {background: paint(cell.colour), color: style("--sheet")});
    });
  }
}

function text(element, panel, answer) {
  element.replaceChildren();
  add(element, "div", answer.content, {className: "text"});
}

const DRAW = {timeseries, stat, gauge, bargauge, piechart, heatmap, table, text};
const PLOTTED = ["timeseries", "gauge", "bargauge", "piechart", "heatmap"];

export async function draw(element, panel, answer, zoomed) {
  const own = panel.type === "text", plotted = element.classList.contains("js-plotly-plot");
  const empty = (panel.fieldConfig || {}).defaults?.noValue || "No data";
  const missing = answer.errors.length ? ["error", answer.errors.join("; ")]
    : !(panel.type in DRAW) ? ["none", answer.notes.join("; ")]
    : !own && !answer.series.length ? ["none", empty] : null;
  if (missing || (element.firstChild && !plotted)) {
    if (plotted) Plotly.purge(element);
    element.className = "";
    element.replaceChildren();
  }
  if (missing) return void add(element, "div", missing[1], {className: missing[0]});
  await DRAW[panel.type](element, panel, answer);
  if (PLOTTED.includes(panel.type) && zoomed && !plotted)
    element.on("plotly_relayout", (change) => {
      const [from, to] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      if (typeof from === "string") zoomed(...[from, to].map((each) => new Date(each.replace(" ", "T")).getTime()));
    });
}
