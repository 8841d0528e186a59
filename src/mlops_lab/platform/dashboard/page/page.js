// The page: which dashboard, which values of its variables, which time, how often; all of it in the address.
import {draw} from "/page/draw.js";

const SPANS = {300: "5 minutes", 900: "15 minutes", 1800: "30 minutes", 3600: "1 hour", 10800: "3 hours", 21600: "6 hours", 86400: "24 hours", 604800: "7 days"};
const REFRESH = {0: "off", 5: "5 s", 10: "10 s", 30: "30 s", 60: "1 min"};
const at = (id) => document.getElementById(id);
const make = (name, content, more = {}) => Object.assign(document.createElement(name), {textContent: content, ...more});
const address = new URLSearchParams(location.search);
let board, timer, turn = 0;

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

function options(select, from, chosen) {
  select.replaceChildren(...Object.entries(from).map(([value, name]) => make("option", name, {value, selected: Number(value) === chosen})));
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

function variable({name, title, kind, multi, all, options: from, chosen}) {
  if (kind === "text") {
    const label = make("label", `${title} `), input = label.appendChild(make("input", "", {value: chosen[0] ?? "", size: 8, name}));
    input.onchange = () => choose(name, [input.value]);
    return label;
  }
  if (!multi) {
    const label = make("label", `${title} `), select = label.appendChild(make("select", "", {name}));
    for (const value of from) select.append(make("option", value, {value, selected: chosen.includes(value)}));
    select.onchange = () => choose(name, [select.value]);
    return label;
  }
  const box = make("details", "", {}), list = make("div", "");
  box.dataset.name = name;
  box.append(make("summary", `${title}: ${chosen.length ? chosen.join(", ") : all ? "all" : "none"}`), list);
  for (const value of [...new Set([...chosen, ...from])].sort()) {
    const label = list.appendChild(make("label", "")), input = make("input", "", {type: "checkbox", value, checked: chosen.includes(value)});
    label.append(input, ` ${value}`);
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
    at("variables").replaceChildren(...found.map(variable));
    for (const each of at("variables").querySelectorAll("details")) each.open = open.includes(each.dataset.name);
  }
  for (const each of found) {
    address.delete(`var-${each.name}`);
    for (const value of each.chosen) address.append(`var-${each.name}`, value);
  }
}

async function panel(each, mine) {
  const element = at(`panel-${each.id}`).querySelector("div");
  try {
    const answer = await ask(`/api/boards/${board.uid}/panels/${each.id}?${address}`);
    if (mine === turn) await draw(element, each, answer);
    return null;
  } catch (error) {
    if (mine === turn) await draw(element, each, {series: [], errors: [error.message]});
    return error;
  }
}

async function load() {
  const mine = ++turn;
  clearTimeout(timer);
  document.body.dataset.state = "loading";
  let failed = null;
  try {
    await variables(mine);
    if (mine !== turn) return;
    write();
    failed = (await Promise.all(board.panels.filter((each) => each.type !== "row").map((each) => panel(each, mine)))).find((each) => each && each.next) || null;
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
  const seconds = Number(address.get("refresh"));
  if (seconds) timer = setTimeout(() => (document.hidden ? again() : load()), seconds * 1000);
}

function lay(each) {
  const {x, y, w, h} = each.gridPos, section = make("section", "", {id: `panel-${each.id}`, className: each.type});
  section.style.gridColumn = `${x + 1} / span ${w}`;
  section.style.gridRow = `${y + 1} / span ${h}`;
  const title = section.appendChild(make("h2", each.title + " "));
  if (each.description) title.append(make("abbr", "?", {title: each.description}));
  section.setAttribute("aria-label", each.title);
  if (each.type !== "row") section.append(make("div", ""));
  return section;
}

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
  if (!address.has("span")) address.set("span", board.span);
  if (!address.has("refresh")) address.set("refresh", parseInt(board.refresh, 10) || 0);
  options(at("span"), SPANS, Number(address.get("span")));
  options(at("refresh"), REFRESH, Number(address.get("refresh")));
  at("panels").replaceChildren(...board.panels.map(lay));
  await load();
}

function theme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
}

at("span").onchange = () => { address.set("span", at("span").value); load(); };
at("refresh").onchange = () => { address.set("refresh", at("refresh").value); write(); again(); };
at("again").onclick = load;
at("theme").onchange = () => { localStorage.setItem("theme", at("theme").value); theme(at("theme").value); if (board) load(); };
at("theme").value = address.get("theme") ?? localStorage.getItem("theme") ?? "";
theme(at("theme").value);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (board) load(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden && board && Number(address.get("refresh"))) load(); });
start().catch((error) => { trouble(error); document.body.dataset.state = "trouble"; });
