// The list of labs: read anew when something has changed.
import "./common.js";
import { connect } from "./socket.js";

let stale = false;

async function renew() {
  if (document.hidden) {
    stale = true;
    return;
  }
  stale = false;
  const answer = await fetch("/");
  if (!answer.ok) return;
  const came = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  const [main, focused] = [document.querySelector("main"), document.activeElement?.getAttribute("href")];
  main.replaceChildren(...came.childNodes);
  if (focused) main.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

connect("/live/home", { heard: renew });
addEventListener("visibilitychange", () => stale && renew());
addEventListener("pageshow", (event) => event.persisted && renew());
