// One place: its buttons, panes and verdicts, kept as the server says they are; the terminal once there is a folder for it.
import { ask, at, make, post, tell, trouble } from "./common.js";
import { connect } from "./socket.js";
import { score, show } from "./verdicts.js";

const main = at("main"), key = main.dataset.key;
const panes = [...document.querySelectorAll(".pane")], tabs = [...document.querySelectorAll("[role=tab]")];
let terminal, opening = false, stand = {};

// On a narrow page one pane is shown; on a wide one all are, and the tabs are not.
function choose(id, focus = false) {
  main.dataset.shown = id;
  for (const tab of tabs) {
    const own = tab.getAttribute("aria-controls") === id;
    tab.setAttribute("aria-selected", own);
    tab.tabIndex = own ? 0 : -1;
  }
  if (id === "work") terminal?.size();
  if (focus) (id === "work" && terminal ? terminal : at(id)).focus({ preventScroll: true });
}

// F6 goes from pane to pane, with Shift backwards.
function step(event) {
  event.preventDefault();
  const now = panes.findIndex((pane) => pane.contains(document.activeElement));
  const next = (now + (event.shiftKey ? -1 : 1) + panes.length) % panes.length;
  choose(panes[now === -1 && event.shiftKey ? panes.length - 1 : next].id, true);
}
addEventListener("keydown", (event) => event.key === "F6" && !event.defaultPrevented && step(event));

tabs.forEach((tab, number) => {
  tab.addEventListener("click", () => choose(tab.getAttribute("aria-controls"), tab.id === "tab-work"));
  tab.addEventListener("keydown", (event) => {
    const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!way) return;
    const other = tabs[(number + way + tabs.length) % tabs.length];
    choose(other.getAttribute("aria-controls"));
    other.focus();
  });
});

async function work() {
  if (terminal || opening) return;
  opening = true;
  const { open } = await import("./terminal.js");
  terminal = open(at("terminal"), key, step);
}

function state(message) {
  stand = message;
  at("busy").hidden = !message.busy;
  at("busy").textContent = message.busy ? `${message.busy} …` : "";
  trouble(message.trouble);
  at("absent").hidden = message.started || Boolean(message.busy);
  at("terminal").hidden = !message.started;
  for (const button of document.querySelectorAll("[data-do]")) {
    const name = button.dataset.do;
    button.disabled = Boolean(message.busy) && name !== "hint";
    if (name === "start" && button.closest(".actions")) button.hidden = !message.started || !message.trouble;
    if (["check", "watch", "reset"].includes(name)) button.hidden = !message.started;
    if (name === "watch") button.textContent = message.paused ? "Go on checking" : "Pause checks";
  }
  if (message.started) work();
}

function verdicts({ rows, note, old }) {
  const changed = show(at("verdicts"), rows, old);
  for (const each of document.querySelectorAll(".score")) each.textContent = score(rows, each.closest("[role=tab]") ? "/" : " of ");
  if (at("note").textContent !== note) at("note").textContent = note;
  if (changed.length) tell(changed.join(". "));
}

function hints({ html, tiers }) {
  const list = at("hints");
  html.slice(list.children.length).forEach((text, number) => {
    const one = make("div", "", { className: "hint" });
    one.innerHTML = text; // made of the lab's own Markdown at the server, which lets no HTML through
    one.prepend(make("h3", `Hint ${list.children.length + 1}`));
    list.append(one);
    if (number === html.length - 1) one.scrollIntoView({ block: "nearest" });
  });
  const button = document.querySelector("[data-do=hint]");
  button.hidden = tiers > 0 && html.length >= tiers;
  button.textContent = html.length ? "One more hint" : "A hint";
}

const HEAR = { state, verdicts, hints };
connect(`/live/${key}`, { heard: (message) => HEAR[message.kind](message) });

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-do]");
  if (!button) return;
  if (button.dataset.ask && !(await ask(button.dataset.ask))) return;
  const wrong = await post(`/${key}/${button.dataset.do}`);
  trouble(wrong || stand.trouble);
});
