// A websocket that comes again after it was lost; the page says so meanwhile.

const lost = document.getElementById("lost");
const GONE = 4404; // there is nothing at that address

export function connect(path, { opened = () => {}, heard, closed = () => true }) {
  let wait = 300, socket, ended = false;
  const begin = () => {
    socket = new WebSocket(`ws://${location.host}${path}`);
    socket.onopen = () => {
      wait = 300;
      lost.hidden = true;
      opened();
    };
    socket.onmessage = (event) => heard(JSON.parse(event.data));
    socket.onclose = (event) => {
      if (ended || event.code === GONE || !closed()) return;
      lost.hidden = false;
      setTimeout(begin, wait);
      wait = Math.min(5000, wait * 2);
    };
  };
  begin();
  return {
    send: (message) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message)),
    close: () => { ended = true; socket.close(); },
  };
}
