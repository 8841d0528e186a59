// The score sheet's verdicts, drawn as they are beside a terminal, and how the exam's end goes on.
import { at } from "./common.js";
import { connect } from "./socket.js";
import { show } from "./verdicts.js";

for (const list of document.querySelectorAll("ol.verdicts")) show(list, JSON.parse(list.dataset.rows));

// The sheet is here before all is taken away: then it says where the files are, and what could not be.
async function ended(message) {
  if (message.kind !== "clock" || message.grading || !at("clearing")) return;
  const answer = await fetch("/exam");
  if (!answer.ok) return;
  const came = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("end");
  if (came) at("end").replaceChildren(...came.childNodes);
}
if (at("clearing")) connect("/live/exam", { heard: ended });
