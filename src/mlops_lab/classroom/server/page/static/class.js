// Times as the reader has them, and what changes while a page is open.

const live = document.body.dataset.live;
const at = (id) => document.getElementById(id);
const SOON = 250; // ms between an event and asking for what it says, so that several make one
const MOVES = 2000; // ms after which is asked again what the operator works on
const OFTEN = 30000; // ms after which how long something lasts is asked anew

function spell(within = document) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    const when = new Date(time.dateTime);
    if (isNaN(when)) continue;
    time.title = time.dateTime;
    time.textContent = when.toLocaleString([], { dateStyle: "short", timeStyle: "short" });
  }
}

async function part(path) {
  const answer = await fetch(path, { headers: { Accept: "text/html" } });
  if (answer.redirected || answer.status === 401) {
    location.reload(); // the session is over
    return null;
  }
  return answer.ok ? answer : null;
}

// The whole page anew; what has the focus keeps it, and what is open stays open.
async function renew() {
  const answer = await part(location.pathname);
  if (!answer) return;
  const came = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  const main = document.querySelector("main");
  const focused = document.activeElement?.getAttribute("href") || document.activeElement?.closest("form")?.getAttribute("action");
  const open = [...main.querySelectorAll("details")].map((each) => each.open);
  main.replaceChildren(...came.childNodes);
  main.querySelectorAll("details").forEach((each, number) => (each.open = open[number] || false));
  spell(main);
  if (focused) main.querySelector(`a[href="${CSS.escape(focused)}"], form[action="${CSS.escape(focused)}"] button`)?.focus({ preventScroll: true });
}

// One cell of the gradebook anew.
async function cell(learner, lab) {
  const answer = await part(`/cell?learner=${encodeURIComponent(learner)}&lab=${encodeURIComponent(lab)}`);
  const old = at(`c-${learner}-${lab}`);
  if (!answer || !old) return;
  const { html, total } = await answer.json();
  const row = document.createElement("template");
  row.innerHTML = `<table><tbody><tr>${html}</tr></tbody></table>`;
  const made = row.content.querySelector("td");
  made.classList.add("news");
  old.replaceWith(made);
  const sum = at(`t-${learner}`);
  if (sum) sum.textContent = total;
  at("told").textContent = `${learner}, lab ${lab}: ${made.textContent}`;
}

let waiting = null;
let stale = false;
function soon() {
  if (document.hidden) {
    stale = true;
    return;
  }
  stale = false;
  waiting ??= setTimeout(() => {
    waiting = null;
    renew().catch(() => {});
  }, SOON);
}

function heard(event) {
  const [kind, which] = live.split(" ");
  if (event.kind === "roster") soon();
  else if (kind === "cells") {
    if (event.kind === "result") cell(event.learner, event.lab).catch(() => {});
  } else if (kind === "lab") {
    if (event.kind === "result" && event.lab === which) soon();
  } else if (kind === "whole" || event.learner === which || !event.learner) soon();
}

function listen() {
  let lost = false;
  const source = new EventSource("/live");
  source.addEventListener("message", (event) => heard(JSON.parse(event.data)));
  source.addEventListener("open", () => {
    at("lost").hidden = true;
    if (lost) soon();
    lost = false;
  });
  source.addEventListener("error", () => {
    lost = true;
    at("lost").hidden = false;
    if (source.readyState === EventSource.CLOSED) setTimeout(() => (source.close(), listen()), 5000);
  });
}

spell();
if (live) listen();
if (live === "whole") setInterval(soon, OFTEN);
if (live) setInterval(() => document.querySelector("[data-moves]") && soon(), MOVES);
addEventListener("visibilitychange", () => stale && soon());
at("find")?.addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const row of document.querySelectorAll(".grades tbody tr")) row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
});
