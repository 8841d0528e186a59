"use strict";
// Kubeflow's pages have their addresses behind a #, and the SDK prints those: /#/runs/details/ID.
function follow() {
  const found = location.hash.match(/^#(\/\w.*)$/);
  if (found) location.replace(found[1]);
}
follow();
addEventListener("hashchange", follow);

// The same words as render.py's.
function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${Math.floor(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function tick() {
  for (const each of document.querySelectorAll("[data-since]")) {
    each.textContent = duration(Math.max(0, (Date.now() - Date.parse(each.dataset.since)) / 1000));
  }
}

function localTimes(root) {
  for (const each of root.querySelectorAll("time:not([title])")) {
    const moment = new Date(each.dateTime);
    each.title = each.textContent;
    const year = moment.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
    const second = each.closest(".history") ? { second: "2-digit" } : {};
    const shown = { ...year, month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", ...second };
    each.textContent = moment.toLocaleString(undefined, shown);
  }
}

// The box of the step that the panel shows.
function markChosen() {
  const chosen = document.getElementById("chosen")?.value;
  for (const box of document.querySelectorAll("a.box")) {
    if (box.id === `box-${chosen}`) box.setAttribute("aria-current", "true");
    else box.removeAttribute("aria-current");
  }
}

// States by what they are of. A screen reader says what stands in #told, and that does not go when the rest is swapped.
const states = new Map();
function tellStates() {
  const told = document.getElementById("told");
  if (!told) return;
  const changed = [];
  const step = document.querySelector("#panel h2")?.textContent;
  for (const [of, where] of [["The run", "#head .state"], [step, "#facts .state"]]) {
    const state = document.querySelector(where)?.textContent.trim();
    if (!state) continue;
    const id = where === "#head .state" ? "" : document.getElementById("chosen").value;
    if (states.has(id) && states.get(id) !== state) changed.push(`${of}: ${state}`);
    states.set(id, state);
  }
  if (changed.length) told.textContent = changed.join(". ");
}

// A log that only got longer is not swapped: what is marked in it stays so, and a screen reader says no more than is new.
function lengthen(log, answer) {
  const came = new DOMParser().parseFromString(answer, "text/html");
  const [before, after] = [log.querySelector("pre"), came.querySelector("pre")];
  const same = before && after && log.children.length === came.body.children.length;
  if (!same || !after.textContent.startsWith(before.textContent)) return false;
  const more = after.textContent.slice(before.textContent.length);
  if (more) before.append(more);
  return true;
}

addEventListener("DOMContentLoaded", () => {
  tellStates();
  localTimes(document);
  tick();
  for (const each of document.querySelectorAll(".canvas")) each.scrollLeft = (each.scrollWidth - each.clientWidth) / 2;
  setInterval(tick, 1000);
  for (const form of document.querySelectorAll("form.list")) {
    const button = form.querySelector(".under .button");
    const count = () => {
      const ticked = form.querySelectorAll("input[name=run]:checked").length;
      button.disabled = ticked < 2 || ticked > 6;
    };
    form.addEventListener("change", count);
    count();
  }
  let atEnd = true;
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const log = event.detail.target;
    if (!log.matches?.(".log")) return;
    atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
    if (event.detail.shouldSwap && lengthen(log, event.detail.serverResponse)) {
      event.detail.swapOverride = "none"; // with shouldSwap it would not hear that the log has ended
      if (atEnd) log.scrollTop = log.scrollHeight;
    }
  });
  document.body.addEventListener("htmx:afterSettle", (event) => {
    localTimes(document);
    tick();
    markChosen();
    tellStates();
    const target = event.detail.elt;
    if (target.matches?.(".log") && atEnd) target.scrollTop = target.scrollHeight;
    if (target.id === "panel" && event.detail.requestConfig?.elt?.matches?.("a")) {
      const below = target.getBoundingClientRect().top > innerHeight - 120;
      target.querySelector("h2").focus({ preventScroll: true });
      if (below) target.scrollIntoView({ block: "start" });
    }
  });
});
