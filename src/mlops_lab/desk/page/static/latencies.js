// A load's latencies over its time, as `lab explain` draws them: p50 and p99 of each slice, and where requests failed.

const SPACE = "http://www.w3.org/2000/svg";
const WIDTH = matchMedia("(max-width: 900px)").matches ? 340 : 560, HEIGHT = 150, LEFT = 52, RIGHT = 10, TOP = 8, BOTTOM = 26;

function svg(name, values, text = "") {
  const element = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(values)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

const ms = (seconds) => `${(seconds * 1000).toFixed(0)} ms`;
const short = (seconds) => (seconds < 1 ? ms(seconds) : `${+seconds.toFixed(1)} s`);

// A round number not below the value: 1, 2 or 5 times a power of ten.
function rounded(value) {
  const power = 10 ** Math.floor(Math.log10(value || 1e-3));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= value);
}

// Slices that follow each other: where nothing was answered, there is no line.
function lines(answered, slice) {
  const found = [];
  for (const each of answered) {
    const last = found.at(-1)?.at(-1);
    if (last && each.at - last.at < 1.5 * slice) found.at(-1).push(each);
    else found.push([each]);
  }
  return found;
}

export function words(load) {
  const kinds = Object.entries(load.statuses).map(([status, number]) => `${number} × ${status === "0" ? "no answer" : status}`);
  const half = load.p50 === null ? "" : `; half within ${ms(load.p50)}, 99 of 100 within ${ms(load.p99)}`;
  return `${load.sent} sent, ${load.failed} failed: ${kinds.join(", ") || "no answers"}${half}`;
}

export function drawn(load) {
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  caption.textContent = `${load.url} · ${load.rate} · ${words(load)}`;
  const answered = load.slices.map((each, number) => ({ ...each, at: number * load.slice })).filter((each) => each.p50 !== null);
  if (answered.length) {
    const whole = Math.max(load.slice * load.slices.length, 1), top = rounded(Math.max(...answered.map((each) => each.p99)));
    const x = (second) => LEFT + (second / whole) * (WIDTH - LEFT - RIGHT);
    const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
    const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart latencies", role: "img", "aria-label": `Latencies: ${words(load)}` });
    for (const part of [0, 0.5, 1]) {
      picture.append(svg("path", { class: "grid", d: `M${LEFT} ${y(top * part)}H${WIDTH - RIGHT}` }));
      picture.append(svg("text", { class: "end", x: LEFT - 6, y: y(top * part) + 4 }, short(top * part)));
    }
    for (const part of [0, 0.5, 1])
      picture.append(svg("text", { x: x(whole * part), y: HEIGHT - 8, class: part === 1 ? "end" : "" }, `${+(whole * part).toFixed(1)} s`));
    const slice = (WIDTH - LEFT - RIGHT) / load.slices.length;
    load.slices.forEach((each, number) => {
      if (!each.failed) return;
      const mark = svg("rect", { class: "failed", x: x(number * load.slice), y: TOP, width: slice, height: HEIGHT - TOP - BOTTOM });
      mark.append(svg("title", {}, `${each.failed} of ${each.sent} failed`));
      picture.append(mark);
    });
    for (const name of ["p99", "p50"]) {
      const dot = (each) => [(x(each.at) + slice / 2).toFixed(1), y(each[name]).toFixed(1)];
      for (const line of lines(answered, load.slice)) {
        const dots = line.map(dot);
        if (dots.length > 1) picture.append(svg("polyline", { class: `curve ${name}`, points: dots.join(" ") }));
        else picture.append(svg("circle", { class: `point ${name}`, cx: dots[0][0], cy: dots[0][1], r: 2 }));
      }
    }
    figure.append(picture);
    const key = document.createElement("p");
    key.className = "key dim";
    for (const [kind, text] of [["p50", "p50"], ["p99", "p99"], ...(load.failed ? [["failed", "failed"]] : [])]) {
      const mark = document.createElement("span");
      mark.className = kind;
      mark.textContent = text;
      key.append(mark, " ");
    }
    figure.append(key);
  }
  figure.append(caption);
  return figure;
}
