// Panels that plotly draws: (element, panel, answer). `answer` is what /api/boards/UID/panels/ID gives.
import {faint, isDark, paint, palette, style} from "/page/colours.js";

const options = (panel) => panel.options || {};
// plotly takes a time without a zone as it stands, so it is given the reader's own.
const local = (at) => new Date(at * 1000 - new Date(at * 1000).getTimezoneOffset() * 60000).toISOString().slice(0, 19);

function plot(element, traces, layout) {
  const quiet = style("--quiet"), grid = style("--grid");
  const base = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: {color: quiet, size: 11},
    margin: {l: 40, r: 14, t: 8, b: 24}, colorway: palette(), hovermode: "x unified", showlegend: traces.length > 0,
    legend: {orientation: "h", y: -0.12, x: 0, font: {color: style("--text")}},
    hoverlabel: {bgcolor: style("--sheet"), bordercolor: style("--line"), font: {color: style("--text")}},
    xaxis: {gridcolor: grid, zeroline: false}, yaxis: {gridcolor: grid, zeroline: false, fixedrange: true, automargin: true},
  };
  for (const key of ["xaxis", "yaxis", "legend", "margin"]) layout[key] = {...base[key], ...layout[key]};
  return Plotly.react(element, traces, {...base, ...layout}, {displayModeBar: false, responsive: true});
}

function times(answer) {
  return {type: "date", range: [local(answer.begin), local(answer.end)]};
}

function lines(series) {
  const x = [], y = [], text = [];
  series.points.forEach(([at, value], index) => {
    if (index && at - series.points[index - 1][0] > series.step * 1.5) { x.push(local(at - series.step)); y.push(null); text.push(""); }
    x.push(local(at)); y.push(value); text.push(series.texts[index]);
  });
  return {x, y, text};
}

function line(series, index) {
  const {custom} = series, colour = paint(series.colour) || palette()[index % palette().length];
  const stacking = custom.stacking || {}, stacked = ["normal", "percent"].includes(stacking.mode), opacity = (custom.fillOpacity || 0) / 100;
  const name = [series.name, ...series.calcs].join("   "), hidden = custom.hideFrom || {};
  const common = {
    ...lines(series), name, hovertemplate: "%{text}", showlegend: !hidden.legend, visible: !hidden.viz, connectgaps: custom.spanNulls === true,
    ...(custom.axisPlacement === "right" ? {yaxis: "y2"} : {}),
  };
  if (custom.drawStyle === "bars") return {...common, type: "bar", marker: {color: faint(colour, Math.max(opacity, 0.4))}};
  const few = series.points.length < 2 || custom.drawStyle === "points";
  return {
    ...common, type: "scatter", mode: few ? "markers" : custom.showPoints === "always" ? "lines+markers" : "lines",
    marker: {color: colour, size: custom.pointSize || 6},
    line: {
      color: colour, width: custom.lineWidth ?? 1, dash: {dash: "dash", dot: "dot"}[(custom.lineStyle || {}).fill] || "solid",
      shape: {smooth: "spline", stepBefore: "vh", stepAfter: "hv"}[custom.lineInterpolation] || "linear",
    },
    ...(stacked ? {stackgroup: stacking.group || "A", groupnorm: stacking.mode === "percent" ? "percent" : ""} : {}),
    ...(stacked || opacity ? {fill: stacked ? "tonexty" : "tozeroy", fillcolor: faint(colour, opacity)} : {}),
  };
}

function thresholds(answer, mode) {
  const shapes = [];
  answer.thresholds.forEach(([from, name], index, all) => {
    const colour = paint(name), to = index + 1 < all.length ? all[index + 1][0] : null;
    if (/line|dashed/.test(mode) && from !== null)
      shapes.push({type: "line", xref: "paper", x0: 0, x1: 1, y0: from, y1: from, line: {color: colour, width: 1, dash: mode.includes("dashed") ? "dash" : "solid"}});
    if (mode.includes("area") && from !== null && to !== null)
      shapes.push({type: "rect", xref: "paper", x0: 0, x1: 1, y0: from, y1: to, fillcolor: faint(colour, 0.12), line: {width: 0}, layer: "below"});
    else if (mode.includes("area") && from !== null && to === null)
      shapes.push({type: "rect", xref: "paper", x0: 0, x1: 1, y0: from, y1: Math.max(from * 2, 1) + from, fillcolor: faint(colour, 0.12), line: {width: 0}, layer: "below"});
  });
  return shapes;
}

export function timeseries(element, panel, answer) {
  const custom = ((panel.fieldConfig || {}).defaults || {}).custom || {}, mode = (custom.thresholdsStyle || {}).mode || "off";
  const legend = options(panel).legend || {}, tooltip = (options(panel).tooltip || {}).mode || "single";
  const traces = answer.series.map(line);
  const log = (custom.scaleDistribution || {}).type === "log", percent = (custom.stacking || {}).mode === "percent";
  const scale = (value) => (log && value > 0 ? Math.log10(value) : value);
  const yaxis = {
    ...(percent ? {ticksuffix: "%"} : answer.axis), ...(log ? {type: "log"} : {}), title: {text: custom.axisLabel || ""},
    ...(answer.min !== null || answer.max !== null ? {range: [scale(answer.min), scale(answer.max)], autorange: answer.min === null ? "min" : answer.max === null ? "max" : false} : {}),
  };
  const peak = Math.max(...answer.thresholds.map(([from]) => from ?? -Infinity), ...answer.series.flatMap(({points}) => points.map(([, value]) => value ?? -Infinity)));
  const shapes = mode.includes("area") ? thresholds(answer, mode).filter(({y0}) => y0 <= peak) : thresholds(answer, mode);
  const right = legend.placement === "right" ? {legend: {orientation: "v", x: 1.02, y: 1}, margin: {r: 120}} : {};
  return plot(element, traces, {
    xaxis: times(answer), yaxis, shapes, ...right, barmode: (custom.stacking || {}).mode === "normal" ? "stack" : "group",
    yaxis2: {...answer.axis, overlaying: "y", side: "right", showgrid: false, fixedrange: true},
    showlegend: legend.showLegend !== false && legend.displayMode !== "hidden", hovermode: {multi: "x unified", none: false}[tooltip] ?? "closest",
  });
}

export function gauge(element, panel, answer) {
  const all = answer.values, traces = [], annotations = [], markers = options(panel).showThresholdMarkers !== false;
  all.forEach(({name, value, text, colour, min, max}, index) => {
    const low = min ?? answer.min ?? 0, high = max ?? answer.max, width = 1 / all.length, x = [index * width + width * 0.04, (index + 1) * width - width * 0.04];
    const steps = answer.thresholds.map(([from, hue], step, list) => ({range: [from ?? low, Math.min(high, step + 1 < list.length ? list[step + 1][0] : high)], color: faint(paint(hue), 0.25)}));
    traces.push({
      type: "indicator", mode: "gauge", value, domain: {x, y: [0, 1]},
      gauge: {
        axis: {range: [low, high], tickcolor: style("--quiet"), ...answer.axis, ...(options(panel).showThresholdLabels ? {tickvals: answer.thresholds.map(([from]) => from ?? low)} : {})},
        bar: {color: paint(colour) || palette()[index % 8], thickness: 0.6}, bgcolor: "rgba(0,0,0,0)", bordercolor: style("--line"), borderwidth: 1, steps: markers ? steps : [],
      },
    });
    const middle = {x: (x[0] + x[1]) / 2, xref: "paper", yref: "paper", showarrow: false};
    annotations.push({...middle, y: 0.05, yanchor: "bottom", text, font: {size: Math.max(11, Math.min(26, element.clientWidth / all.length / 6)), color: paint(colour) || style("--text")}});
    if (all.length > 1) annotations.push({...middle, y: 0, yanchor: "top", text: name.length > 24 ? `${name.slice(0, 23)}…` : name, font: {color: style("--text")}});
  });
  return plot(element, traces, {margin: {l: 36, r: 36, t: 18, b: all.length > 1 ? 22 : 10}, showlegend: false, annotations});
}

export function bargauge(element, panel, answer) {
  const {orientation = "auto", valueMode, showUnfilled} = options(panel), names = answer.values.map((_, index) => index);
  const tall = orientation === "vertical" || (orientation === "auto" && element.clientWidth > element.clientHeight);
  const colours = answer.values.map(({colour}, index) => paint(colour) || palette()[index % 8]), sizes = answer.values.map(({value}) => value);
  const low = answer.min ?? 0, along = (values) => (tall ? {x: names, y: values, orientation: "v"} : {x: values, y: names, orientation: "h"});
  const bar = {
    type: "bar", ...along(sizes), marker: {color: colours}, customdata: answer.values.map(({text}) => text), hovertext: answer.values.map(({name}) => name), hovertemplate: "%{hovertext}: %{customdata}<extra></extra>",
    ...(valueMode === "hidden" ? {} : {text: answer.values.map(({text}) => text)}), textposition: "auto",
    textfont: {color: isDark() ? "#0b0f14" : "#ffffff"}, outsidetextfont: {color: style("--text")}, insidetextanchor: "start",
  };
  const back = {type: "bar", ...along(sizes.map(() => answer.max)), marker: {color: style("--grid")}, hoverinfo: "skip"};
  const scale = {...answer.axis, range: [low, answer.max]}, kinds = {tickvals: names, ticktext: answer.values.map(({name}) => name), automargin: true, showgrid: false, tickfont: {color: style("--text")}};
  return plot(element, showUnfilled === false ? [bar] : [back, bar], {
    showlegend: false, hovermode: "closest", bargap: 0.25, barmode: "overlay",
    ...(tall ? {xaxis: kinds, yaxis: scale} : {xaxis: scale, yaxis: {...kinds, autorange: "reversed"}}),
  });
}

export function piechart(element, panel, answer) {
  const known = answer.values.filter(({value}) => value !== null), {pieType, legend = {}, displayLabels = []} = options(panel);
  const shown = displayLabels.map((each) => ({name: "label", value: "text", percent: "percent"})[each]).filter(Boolean).join("+");
  const trace = {
    type: "pie", labels: known.map(({name}) => name), values: known.map(({value}) => value), text: known.map(({text}) => text), sort: false,
    marker: {colors: known.map(({colour}, index) => paint(colour) || palette()[index % 8])}, hole: pieType === "donut" ? 0.5 : 0,
    textinfo: shown || "none", hovertemplate: "%{label}: %{text} (%{percent})<extra></extra>",
  };
  return plot(element, [trace], {showlegend: legend.showLegend !== false, hovermode: "closest", margin: {l: 10, r: 10, t: 10, b: 10}});
}

export function heatmap(element, panel, answer) {
  // Buckets count up to their bound: a cell is one less the one below it.
  const bound = (series) => (series.labels.le === "+Inf" ? Infinity : Number(series.labels.le ?? series.name));
  const buckets = [...answer.series].sort((a, b) => bound(a) - bound(b));
  const at = [...new Set(buckets.flatMap((series) => series.points.map(([time]) => time)))].sort((a, b) => a - b);
  const counts = buckets.map((series) => new Map(series.points));
  const z = counts.map((here, index) => at.map((time) => {
    if (!here.has(time)) return null;
    return Math.max(0, here.get(time) - (index ? counts[index - 1].get(time) ?? 0 : 0));
  }));
  const names = buckets.map((series) => answer.bounds[series.labels.le ?? series.name]), gap = options(panel).cellGap ?? 1;
  const trace = {
    type: "heatmap", x: at.map(local), y: names, z, xgap: gap, ygap: gap, showscale: (options(panel).legend || {}).show !== false,
    colorbar: {thickness: 8, tickfont: {color: style("--quiet")}, outlinewidth: 0, ...answer.axis},
    colorscale: isDark() ? [[0, "#1a2029"], [0.3, "#1f5a8a"], [0.7, "#3fa7d6"], [1, "#d7f0ff"]] : [[0, "#ffffff"], [0.3, "#a9d0ee"], [0.7, "#2f83c0"], [1, "#08306b"]],
    hovertemplate: `%{y}: %{z:.4~g}${answer.axis.ticksuffix || ""}<extra></extra>`,
  };
  return plot(element, [trace], {xaxis: times(answer), yaxis: {type: "category", automargin: true}, hovermode: "closest", showlegend: false});
}
