// An exam's clock, flags and notes; all windows show the same.
import { ask, at, post, tell, trouble } from "./common.js";
import { connect } from "./socket.js";

const clock = document.querySelector(".clock"), TOLD = [1800, 600, 300, 60];
let end = performance.now() + Number(clock.dataset.left) * 1000, before = Number(clock.dataset.left), stands = false;

function draw() {
  const left = Math.max(0, Math.round((end - performance.now()) / 1000));
  const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
  clock.textContent = `${hours}:${String(minutes).padStart(2, "0")}:${String(seconds).padStart(2, "0")}`;
  clock.classList.toggle("soon", left < 300);
  for (const each of TOLD) if (before > each && left <= each) tell(each > 60 ? `${each / 60} minutes left` : "1 minute left");
  before = left;
}
draw();
setInterval(() => stands || draw(), 500);

let troubled = false;

function hearClock(message) {
  end = performance.now() + message.left * 1000;
  stands = message.stands;
  draw();
  if (message.graded) {
    location.assign("/exam");
    return;
  }
  at("submit").disabled = message.grading;
  if (at("grading")) at("grading").hidden = !message.grading;
  else if (message.grading) location.assign("/exam");
  if (message.trouble || troubled || at("grading")) trouble(message.trouble);
  troubled = Boolean(message.trouble);
}

function hearMark({ number, flagged, note }) {
  const marks = document.querySelector(`.marks[data-number="${Number(number)}"]`);
  if (!marks) return;
  marks.querySelector(".flag").setAttribute("aria-pressed", flagged);
  const [shown, written] = [marks.querySelector(".note"), marks.querySelector("textarea")];
  if (shown) shown.textContent = note;
  if (written && document.activeElement !== written) written.value = note;
}

const HEAR = { clock: hearClock, mark: hearMark, gone: () => location.assign("/") };
connect("/live/exam", { heard: (message) => HEAR[message.kind](message) });

for (const marks of document.querySelectorAll(".marks")) {
  const path = `/exam/${marks.dataset.number}`, flag = marks.querySelector(".flag"), note = marks.querySelector("textarea");
  flag.addEventListener("click", async () => trouble(await post(`${path}/flag`, { on: flag.getAttribute("aria-pressed") !== "true" })));
  let timer = null;
  const keep = async (leaving = false) => {
    clearTimeout(timer);
    timer = null;
    trouble(await post(`${path}/note`, { text: note.value }, leaving));
  };
  note?.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(keep, 600);
  });
  note?.addEventListener("change", () => keep());
  addEventListener("pagehide", () => timer !== null && keep(true));
}

at("submit").addEventListener("click", async () => {
  if (await ask("Submit the exam? It ends now and is graded; you cannot go on with it.")) trouble(await post("/exam/submit"));
});
