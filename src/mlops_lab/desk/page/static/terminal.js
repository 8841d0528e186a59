// A terminal in the page: xterm.js here, a shell on a pseudo-terminal at the server.
import { connect } from "./socket.js";
import { FitAddon } from "/xterm/addon-fit.mjs";
import { Terminal } from "/xterm/xterm.mjs";

const LIGHT = {
  background: "#ffffff", foreground: "#18212b", cursor: "#18212b", cursorAccent: "#ffffff", selectionBackground: "#b9cdf3",
  black: "#18212b", red: "#b3261e", green: "#157347", yellow: "#7a5200", blue: "#2457c5", magenta: "#8a2f87", cyan: "#0b6478", white: "#5a6876",
  brightBlack: "#5a6876", brightRed: "#b3261e", brightGreen: "#157347", brightYellow: "#7a5200", brightBlue: "#2457c5", brightMagenta: "#8a2f87",
  brightCyan: "#0b6478", brightWhite: "#18212b",
};
const DARK = {
  background: "#181f27", foreground: "#e4eaf0", cursor: "#e4eaf0", cursorAccent: "#181f27", selectionBackground: "#37527e",
  black: "#4a5765", red: "#ff938a", green: "#62ce93", yellow: "#f1cd7c", blue: "#8ab4ff", magenta: "#e3a6e0", cyan: "#7bd3e6", white: "#e4eaf0",
  brightBlack: "#8595a4", brightRed: "#ff938a", brightGreen: "#62ce93", brightYellow: "#f1cd7c", brightBlue: "#8ab4ff", brightMagenta: "#e3a6e0",
  brightCyan: "#7bd3e6", brightWhite: "#ffffff",
};
const dark = matchMedia("(prefers-color-scheme: dark)");

export function open(element, key, leave) {
  const terminal = new Terminal({
    fontFamily: 'ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace', fontSize: 13, scrollback: 5000, screenReaderMode: false,
    minimumContrastRatio: 4.5, theme: dark.matches ? DARK : LIGHT,
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(element);
  terminal.textarea.setAttribute("aria-label", "Terminal; F6 leaves it");
  dark.addEventListener("change", () => { terminal.options.theme = dark.matches ? DARK : LIGHT; });
  let ended = false;
  let replaying = 0; // pieces of what was before that are still being drawn

  const size = () => {
    if (!element.clientWidth || !element.clientHeight) return; // not shown
    fit.fit();
    socket.send(["set_size", terminal.rows, terminal.cols]);
  };
  const begin = () => connect(`/terminal/${key}`, {
    opened: () => { terminal.reset(); size(); },
    heard: ([kind, text]) => {
      if (kind === "stdout") terminal.write(text);
      if (kind === "before") {
        replaying += 1;
        terminal.write(text, () => { replaying -= 1; });
      }
      if (kind === "disconnect") {
        ended = true;
        terminal.write("\r\n[the shell has ended; Enter begins another]\r\n");
      }
    },
    closed: () => !ended,
  });
  let socket = begin();

  terminal.onData((text) => {
    if (replaying) return; // the terminal answers what programs asked it then, which nobody waits for now
    if (!ended) socket.send(["stdin", text]);
    else if (text === "\r") {
      ended = false;
      socket = begin();
    }
  });
  terminal.attachCustomKeyEventHandler((event) => {
    if (event.ctrlKey && event.shiftKey && event.code === "KeyC" && terminal.hasSelection()) { // as terminals have it; pasting is the browser's own
      if (event.type === "keydown") navigator.clipboard.writeText(terminal.getSelection());
      event.preventDefault();
      return false;
    }
    if (event.key !== "F6") return true;
    if (event.type === "keydown") leave(event);
    return false;
  });
  new ResizeObserver(size).observe(element);
  return { focus: () => terminal.focus(), size };
}
