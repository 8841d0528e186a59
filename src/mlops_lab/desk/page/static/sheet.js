// The score sheet's verdicts, drawn as they are beside a terminal.
import "./common.js";
import { show } from "./verdicts.js";

for (const list of document.querySelectorAll("ol.verdicts")) show(list, JSON.parse(list.dataset.rows));
