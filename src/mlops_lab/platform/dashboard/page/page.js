// The page: which dashboard, which values of its variables, which time, how often; all of it in the address.
import {draw} from "/page/draw.js";

const RANGES = {5: "5 minutes", 15: "15 minutes", 30: "30 minutes", 60: "1 hour", 180: "3 hours", 360: "6 hours", 720: "12 hours", 1440: "24 hours", 2880: "2 days", 10080: "7 days"};
const REFRESH = ["5s", "10s", "30s", "1m", "5m"];
const UNITS = {s: 1, m: 60, h: 3600, d: 86400, w: 604800};
const seconds = (text) => { const found = /^(\d+)([smhdw])$/.exec(text || ""); return found ? Number(found[1]) * UNITS[found[2]] : 0; };
const at = (id) => document.getElementById(id);
const make = (name, content, more = {}) => Object.assign(document.createElement(name), {textContent: content, ...more});
const address = new URLSearchParams(location.search);
let board, timer, turn = 0, groups = [];

async function ask(path) {
  const answer = await fetch(path);
  const kind = answer.headers.get("Content-Type") || "";
  const said = kind.startsWith("application/json") ? await answer.json() : {error: await answer.text()};
  if (!answer.ok) throw Object.assign(new Error(said.error), {next: said.next});
  return said;
}

function trouble(error) {
  at("trouble").hidden = !error;
  if (error) at("trouble").textContent = error.message + (error.next ? ` – next: ${error.next}` : "");
}

function write() {
  history.replaceState(null, "", `/d/${board.uid}?${address}`);
  for (const link of at("boards").children) {
    const kept = new URLSearchParams([...address].filter(([key]) => !key.startsWith("var-") || key === "var-namespace" || key === "var-app"));
    link.href = `${new URL(link.href).pathname}?${kept}`;
  }
}

function choose(name, values) {
  address.delete(`var-${name}`);
  for (const value of values) address.append(`var-${name}`, value);
  load();
}

function variable({name, title, kind, multi, all, options: from, names, chosen}) {
  const named = (value) => names[value] ?? value;
  if (kind === "text") {
    const label = make("label", `${title} `), input = label.appendChild(make("input", "", {value: chosen[0] ?? "", size: 8, name}));
    input.onchange = () => choose(name, [input.value]);
    return label;
  }
  if (!multi) {
    const label = make("label", `${title} `), select = label.appendChild(make("select", "", {name}));
    for (const value of from) select.append(make("option", named(value), {value, selected: chosen.includes(value)}));
    if (all) select.prepend(make("option", "All", {value: "", selected: !chosen.length}));
    select.onchange = () => choose(name, select.value ? [select.value] : []);
    return label;
  }
  const box = make("details", "", {}), list = make("div", "");
  box.dataset.name = name;
  box.append(make("summary", `${title}: ${chosen.length ? chosen.map(named).join(", ") : all ? "all" : "none"}`), list);
  for (const value of new Set([...from, ...chosen])) {
    const label = list.appendChild(make("label", "")), input = make("input", "", {type: "checkbox", value, checked: chosen.includes(value)});
    label.append(input, ` ${named(value)}`);
    input.onchange = () => choose(name, [...list.querySelectorAll("input:checked")].map((each) => each.value));
  }
  if (!from.length) list.append(make("label", "nothing there yet"));
  return box;
}

async function variables(mine) {
  const found = await ask(`/api/boards/${board.uid}/variables?${address}`);
  if (mine !== turn) return;
  const open = [...at("variables").querySelectorAll("details[open]")].map((each) => each.dataset.name);
  if (!at("variables").contains(document.activeElement) || !found.some((each) => each.kind === "text")) {
    at("variables").replaceChildren(...found.filter((each) => !each.hidden).map(variable));
    for (const each of at("variables").querySelectorAll("details")) each.open = open.includes(each.dataset.name);
  }
  for (const each of found) {
    address.delete(`var-${each.name}`);
    for (const value of each.chosen) address.append(`var-${each.name}`, value);
  }
}

async function panel(each, mine) {
  const section = at(`panel-${each.id}`), element = section.querySelector("div");
  try {
    const answer = await ask(`/api/boards/${board.uid}/panels/${each.id}?${address}`);
    if (mine !== turn) return null;
    section.querySelector("h2 span").textContent = answer.title;
    section.querySelector("p").textContent = answer.notes.join("; ");
    await draw(element, each, answer, zoom);
    return null;
  } catch (error) {
    if (mine === turn) await draw(element, each, {series: [], errors: [error.message], notes: []});
    return error;
  }
}

// Panels that are seen: those of a row that is closed are not asked for.
const shown = () => groups.flatMap(({panels, body}) => (body.hidden ? [] : panels));

async function load() {
  const mine = ++turn;
  clearTimeout(timer);
  document.body.dataset.state = "loading";
  let failed = null;
  try {
    await variables(mine);
    if (mine !== turn) return;
    write();
    failed = (await Promise.all(shown().map((each) => panel(each, mine)))).find((each) => each && each.next) || null;
  } catch (error) {
    failed = error;
  }
  if (mine !== turn) return;
  trouble(failed);
  document.body.dataset.state = failed ? "trouble" : "ready";
  again();
}

function again() {
  clearTimeout(timer);
  const pause = seconds(address.get("refresh"));
  if (pause) timer = setTimeout(() => (document.hidden ? again() : load()), pause * 1000);
}

function lay(each, top) {
  const {x, y, w, h} = each.gridPos, section = make("section", "", {id: `panel-${each.id}`, className: each.transparent ? `${each.type} bare` : each.type});
  section.style.gridColumn = `${x + 1} / span ${w}`;
  section.style.gridRow = `${y - top + 1} / span ${h}`;
  const title = section.appendChild(make("h2", ""));
  title.append(make("span", each.title), " ");
  if (each.description) title.append(make("abbr", "?", {title: each.description}));
  section.setAttribute("aria-label", each.title);
  section.append(make("div", ""), make("p", "", {className: "notes"}));
  return section;
}

// A row holds what stands below it, or while it is closed its own; one without a row comes first.
function grouped(panels) {
  const found = [{row: null, panels: []}];
  for (const each of [...panels].sort((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x)) {
    if (each.type === "row") found.push({row: each, panels: [...(each.panels || [])]});
    else found[found.length - 1].panels.push(each);
  }
  return found.filter(({row, panels: own}) => row || own.length).map(({row, panels: own}) => {
    const top = Math.min(...own.map(({gridPos}) => gridPos.y)), body = make("div", "", {className: "grid", hidden: Boolean(row && row.collapsed)});
    body.append(...own.map((each) => lay(each, top)));
    if (!row) return {row, panels: own, body, head: null};
    const head = make("h2", "", {className: "row"}), button = head.appendChild(make("button", row.title || "Row", {type: "button"}));
    const tell = () => button.setAttribute("aria-expanded", String(!body.hidden));
    button.onclick = () => { body.hidden = !body.hidden; tell(); load(); };
    tell();
    return {row, panels: own, body, head};
  });
}

// What the time picker shows of the address, and the address of what was picked.
function range() {
  const from = address.get("from"), to = address.get("to"), relative = to === "now" && seconds(from.replace("now-", "")) / 60;
  at("range").replaceChildren(
    ...Object.entries(RANGES).map(([minutes, name]) => make("option", `Last ${name}`, {value: minutes, selected: Number(minutes) === relative})),
    ...(relative && !(relative in RANGES) ? [make("option", from, {value: relative, selected: true})] : []),
    make("option", "From … to …", {value: "", selected: !relative}),
  );
  const written = (at) => new Date(at - new Date(at).getTimezoneOffset() * 60000).toISOString().slice(0, 19);
  for (const name of ["from", "to"]) {
    const value = address.get(name), moment = /^\d+$/.test(value) ? Number(value) : Date.now() - seconds(value.replace(/now-?/, "")) * 1000;
    at(name).value = written(moment);
  }
  at("between").hidden = Boolean(relative);
}

function look(from, to) {
  address.set("from", from);
  address.set("to", to);
  range();
  load();
}

const zoom = (from, to) => look(Math.round(from), Math.round(Math.max(to, from + 60000)));

async function start() {
  const known = await ask("/api/boards"), wanted = location.pathname.split("/")[2] || known[0].uid;
  at("boards").replaceChildren(...known.map(({uid, title, description}) => make("a", title, {href: `/d/${uid}`, title: description})));
  const index = known.findIndex(({uid}) => uid === wanted);
  if (index < 0) throw new Error(`there is no dashboard ${wanted}`);
  at("boards").children[index].setAttribute("aria-current", "page");
  board = await ask(`/api/boards/${wanted}`);
  document.title = `${board.title} · mlops-lab`;
  at("title").textContent = board.title;
  at("description").textContent = board.description;
  if (!address.has("from") || !address.has("to")) ["from", "to"].forEach((name, index) => address.set(name, board.times[index]));
  if (!address.has("refresh")) address.set("refresh", board.refresh || "");
  const pauses = [...new Set([...((board.timepicker || {}).refresh_intervals || REFRESH), address.get("refresh")])].filter(seconds);
  at("refresh").replaceChildren(...["", ...pauses].map((value) => make("option", value || "off", {value, selected: value === address.get("refresh")})));
  range();
  groups = grouped(board.panels);
  at("panels").replaceChildren(...groups.flatMap(({head, body}) => (head ? [head, body] : [body])));
  await load();
}

function theme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
}

at("range").onchange = () => {
  at("between").hidden = Boolean(at("range").value);
  if (at("range").value) look(`now-${at("range").value}m`, "now");
};
at("apply").onclick = () => zoom(...["from", "to"].map((name) => new Date(at(name).value).getTime()));
at("refresh").onchange = () => { address.set("refresh", at("refresh").value); write(); again(); };
at("again").onclick = load;
at("theme").onchange = () => { localStorage.setItem("theme", at("theme").value); theme(at("theme").value); if (board) load(); };
at("theme").value = address.get("theme") ?? localStorage.getItem("theme") ?? "";
theme(at("theme").value);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (board) load(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden && board && seconds(address.get("refresh"))) load(); });
start().catch((error) => { trouble(error); document.body.dataset.state = "trouble"; });
