// The verdicts, one row for each check; what has not changed is not touched, so that marks and open parts stay.
import { make } from "./common.js";
import { drawn } from "./latencies.js";

const KINDS = { pass: "SUCCEEDED", fail: "FAILED", blocked: "WAITING", waiting: "RUNNING", error: "TROUBLE" };

// A text in which `code` is marked as in Markdown; nothing else in it means anything.
function marked(element, text) {
  element.replaceChildren(...text.split("`").map((part, number) => (number % 2 ? make("code", part) : part)));
  return element;
}

const word = (row) => (row.running ? (row.state ? "waiting" : "running") : row.verdict);

function pairs(row) {
  const list = make("dl", "", { className: "pairs" });
  const told = row.verdict === "pass" ? [] : ["expected", "seen", "why"];
  for (const name of told.filter((each) => row[each])) list.append(make("dt", name), marked(make("dd"), row[name]));
  return list;
}

// What only changes with the verdict.
function result(row) {
  const parts = [];
  const list = pairs(row);
  if (list.children.length) parts.push(list);
  if (row.verdict === "pass" && row.seen) parts.push(marked(make("p", "", { className: "dim" }), row.seen));
  parts.push(...row.loads.map(drawn));
  if (row.evidence.length) {
    const more = make("details");
    more.append(make("summary", "Evidence"), make("pre", row.evidence.join("\n"), { className: "text", tabIndex: 0 }));
    parts.push(more);
  }
  return parts;
}

function item(row) {
  const made = make("li");
  made.dataset.check = row.check;
  const head = make("p", "", { className: "verdict" });
  head.append(make("span", "", { className: "word" }), make("span", "", { className: "points" }), make("b", row.check), make("span", "", { className: "dim took" }));
  made.append(head, marked(make("p", "", { className: "title" }), row.title), make("p", "", { className: "dim doing" }), make("div", "", { className: "result" }));
  return made;
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function show(list, rows, old = false) {
  const known = new Map([...list.children].map((each) => [each.dataset.check, each]));
  const changed = [];
  for (const row of rows) {
    let own = known.get(row.check);
    if (!own) list.append((own = item(row)));
    known.delete(row.check);
    const now = word(row);
    own.className = `${KINDS[row.verdict] || "NEW"}${old ? " old" : ""}`;
    const mark = own.querySelector(".word");
    set(mark, now ? now.toUpperCase() : "–");
    mark.className = `word state ${row.running ? "RUNNING" : KINDS[row.verdict] || "PENDING"}`;
    set(own.querySelector(".points"), `${row.earned}/${row.points}`);
    set(own.querySelector(".took"), row.seconds && !row.running ? `${row.seconds} s` : "");
    set(own.querySelector(".doing"), row.state ? `${row.state} (${row.left.toFixed(0)} s left)` : "");
    const shown = JSON.stringify([row.verdict, row.expected, row.seen, row.why, row.evidence, row.loads]);
    if (own.shown !== shown) {
      if (own.shown !== undefined && row.verdict) changed.push(`${row.check}: ${row.verdict}`);
      own.shown = shown;
      own.querySelector(".result").replaceChildren(...result(row));
    }
  }
  for (const gone of known.values()) gone.remove();
  return changed;
}

export function score(rows, between) {
  const sum = (name) => rows.reduce((whole, row) => whole + row[name], 0);
  return rows.length ? `${sum("earned")}${between}${sum("points")}` : "";
}
