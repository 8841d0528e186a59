// What pages do alike: ask before, post, and say what changed.

export const at = (id) => document.getElementById(id);
export const make = (name, content = "", more = {}) => Object.assign(document.createElement(name), { textContent: content, ...more });

export function tell(text) {
  at("told").textContent = text;
}

export function ask(question) {
  const dialog = at("ask");
  at("asked").textContent = question;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true }));
}

// `leaving`: the page may be gone before the answer; such requests have 64 KiB at most.
export async function post(path, given = {}, leaving = false) {
  let answer;
  try {
    answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(given), keepalive: leaving });
  } catch {
    return { message: "The desk does not answer.", next: "if it has ended, start it again: lab desk" };
  }
  if (answer.ok) return null;
  const kind = answer.headers.get("Content-Type") || "";
  return kind.startsWith("application/json") ? answer.json() : { message: await answer.text(), next: "" };
}

export function trouble(found) {
  const place = at("trouble");
  const text = found ? `${found.message}${found.next ? `\nnext: ${found.next}` : ""}` : "";
  if (place.textContent !== text) place.textContent = text;
  place.hidden = !found;
}

// The address that was opened has the token; the cookie does now.
if (new URLSearchParams(location.search).has("token")) history.replaceState(null, "", location.pathname);
