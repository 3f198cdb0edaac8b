// Keeps the page live: replaces the parts that changed, tells the age of what it shows, and never hides silence.
"use strict";

(() => {
  const STALE_AFTER_MS = 4000;
  const RETRY_MS = 1500;
  const stream = document.getElementById("stream");
  const says = document.getElementById("stream-says");
  const pause = document.getElementById("pause");

  let source = null;
  let retry = 0;
  let paused = false;
  let heardAt = performance.now();
  let shownMs = Date.parse(document.querySelector("#stream-says time").dateTime);
  let aheadMs = shownMs - Date.now(); // the server's clock minus ours
  const waiting = new Map(); // parts that would have destroyed a selection

  function ago(seconds) {
    for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
      if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
    }
    return `${Math.max(0, Math.floor(seconds))} s ago`;
  }

  function tellAges() {
    const now = Date.now() + aheadMs;
    for (const span of document.querySelectorAll(".ago")) {
      const text = ago((now - Number(span.dataset.at)) / 1000);
      if (span.textContent !== text) span.textContent = text;
    }
  }

  function isSelected(part) {
    const selection = document.getSelection();
    return !selection.isCollapsed && selection.containsNode(part, true);
  }

  // Whoever came to a link or button by the keyboard stays there when its part changes.
  function replace(part, html) {
    const held = part.contains(document.activeElement) ? document.activeElement.outerHTML : "";
    part.innerHTML = html;
    if (held) [...part.querySelectorAll("a, button")].find((one) => one.outerHTML === held)?.focus({ preventScroll: true });
  }

  function show(parts) {
    for (const [name, html] of Object.entries(parts)) waiting.set(name, html);
    for (const [name, html] of waiting) {
      const part = document.querySelector(`[data-part="${name}"]`);
      if (part && isSelected(part)) continue;
      if (part) replace(part, html);
      waiting.delete(name);
    }
  }

  function heard(event) {
    const news = JSON.parse(event.data);
    heardAt = performance.now();
    shownMs = news.at_ms;
    aheadMs = news.at_ms - Date.now();
    show(news.parts);
    tick();
  }

  function connect() {
    clearTimeout(retry);
    if (source) source.close();
    source = new EventSource("api/live?view=page");
    source.addEventListener("page", heard);
    source.addEventListener("error", () => {
      // The browser comes back by itself, unless the answer was not a stream at all.
      if (source && source.readyState === EventSource.CLOSED) retry = setTimeout(connect, RETRY_MS * (0.5 + Math.random()));
    });
  }

  function disconnect() {
    clearTimeout(retry);
    if (source) source.close();
    source = null;
  }

  function say(state, text) {
    if (stream.className !== state) stream.className = state;
    if (says.textContent !== text) says.textContent = text;
    document.body.classList.toggle("is-stale", state === "stale");
    document.body.classList.toggle("is-paused", state === "paused");
  }

  function tick() {
    tellAges();
    const at = new Date(shownMs).toISOString().slice(11, 19);
    if (paused) say("paused", `paused at ${at}`);
    else if (performance.now() - heardAt > STALE_AFTER_MS) say("stale", `no word since ${at}: these numbers are old`);
    else say("live", "live");
  }

  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Resume" : "Pause";
    if (paused) disconnect();
    else connect();
    tick();
  });
  // A tab that nobody sees holds none of the few connections a browser has for one host.
  document.addEventListener("visibilitychange", () => {
    if (paused) return;
    if (document.hidden) disconnect();
    else connect();
  });
  // Whoever takes an alert says so by name; the page shows it with the next update.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-acknowledge]");
    if (!button) return;
    const by = prompt("Your name:", localStorage.getItem("name") || "");
    if (!by || !by.trim()) return;
    localStorage.setItem("name", by.trim());
    button.disabled = true;
    const answer = await fetch(`api/alerts/${button.dataset.acknowledge}/acknowledge`, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ by: by.trim() }),
    }).catch(() => null);
    if (answer && answer.ok) button.textContent = "Taken";
    else { button.disabled = false; button.textContent = "Not taken: try again"; }
  });
  setInterval(tick, 1000);
  connect();
})();
