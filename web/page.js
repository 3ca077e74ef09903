/* The page for the line. What comes from the station is text, and becomes nothing else: textContent, never HTML. */
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const SILENCE = 13000; /* ms: beats come every 5 s */

/* The kind of a phase: its colour and its shape. A phase that is not known here is trouble. */
const KINDS = {
  "empty": "idle", "ignored": "idle", "cancelled": "idle",
  "queued": "waiting", "held": "held",
  "detaching": "running", "downloading": "running", "verifying": "running", "resetting": "running",
  "flashed": "done", "failed": "failed",
  "no-policy": "trouble", "unusable": "trouble", "stuck": "trouble",
};
const WORDS = { "no-policy": "no policy", "queued": "waiting" };
const VERDICTS = ["flashed", "detached", "cancelled", "board-left", "not-returned", "replaced", "timed-out", "stalled",
  "board-error", "verify-failed", "bad-answer", "not-dfu", "image-refused", "busy", "no-access", "usb-error", "engine-failed",
  "interrupted", "none"];
const NEITHER = ["detached", "cancelled", "none"];

const by = id => document.getElementById(id);
const text = value => value === null || value === undefined ? "" : String(value);
const number = value => typeof value === "number" && isFinite(value) ? value : 0;
const spaced = word => text(word).replace(/-/g, " ");

function element(name, className, content) {
  const e = document.createElement(name);
  if (className)
    e.className = className;
  if (content !== undefined)
    e.textContent = content;
  return e;
}

function shape(kind) {
  const svg = document.createElementNS(SVG, "svg"), use = document.createElementNS(SVG, "use");
  use.setAttribute("href", "#shape-" + kind);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

function show(node, content) {
  content = text(content);
  if (node.textContent !== content)
    node.textContent = content;
  node.hidden = content === "";
}

/* ---- words ---- */

function bytes(n) {
  return n < 1000 ? n + " B" : n < 1e6 ? (n / 1e3).toFixed(n < 1e4 ? 1 : 0) + " kB" : (n / 1e6).toFixed(1) + " MB";
}

function span(usec) {
  const s = usec / 1e6;
  return s < 10 ? s.toFixed(1) + " s" : s < 120 ? Math.round(s) + " s" : s < 7200 ? Math.round(s / 60) + " min" : (s / 3600).toFixed(1) + " h";
}

function moment(usec) {
  const date = new Date(usec / 1000), now = new Date();
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  return date.toDateString() === now.toDateString() ? time : date.toLocaleDateString("sv-SE") + " " + time;
}

const image = x => [x.image_name, x.image_version].filter(Boolean).map(String).join(" ");

/* ---- slots ---- */

const tiles = new Map(); /* by name, in order: {node, parts, slot} */

function makeTile(name) {
  const node = element("li", "slot"), head = element("header"), parts = {
    name: element("h3", "", name), shape: shape("idle"), word: element("p", "word"), board: element("p", "board"),
    why: element("p", "why"), grow: element("div", "grow"), bar: element("progress"), rate: element("p", "rate"),
    share: element("span"), left: element("span"),
  };
  parts.bar.max = 100;
  parts.bar.setAttribute("aria-label", name + ": progress");
  parts.rate.append(parts.share, parts.left);
  head.append(parts.name, parts.shape);
  node.append(head, parts.word, parts.board, parts.why, parts.grow, parts.bar, parts.rate);
  return { node, parts, slot: {} };
}

function why(slot, kind) {
  if (kind === "failed")
    return slot.message || slot.last_message || spaced(slot.last_verdict);
  if (kind === "done")
    return number(slot.last_realtime_usec) ? "at " + moment(slot.last_realtime_usec) : "";
  if (slot.message)
    return slot.message;
  if (kind !== "idle" || !slot.last_realtime_usec)
    return "";
  const word = slot.last_verdict === "flashed" ? "last: flashed" : "last: " + (text(slot.last_message) || spaced(slot.last_verdict));
  return word + ", " + moment(slot.last_realtime_usec);
}

function drawTile(tile) {
  const { node, parts, slot } = tile, phase = text(slot.phase), kind = KINDS[phase] || "trouble";
  const total = number(slot.bytes_total), done = number(slot.bytes_done), runs = kind === "running";
  const share = total > 0 ? Math.min(100, 100 * done / total) : 0;

  node.className = "slot " + kind;
  node.dataset.slot = text(slot.slot);
  node.dataset.phase = phase;
  parts.shape.firstChild.setAttribute("href", "#shape-" + kind);
  show(parts.word, WORDS[phase] || spaced(phase));
  if (number(slot.attempt) > 1 && (runs || kind === "waiting"))
    parts.word.append(" (try " + slot.attempt + " of " + text(slot.attempts_max) + ")");
  show(parts.board, kind === "idle" && !slot.chip ? slot.port
    : [text(slot.chip).toUpperCase().replace(/^ESP32(?=\w)/, "ESP32-"), image(slot), slot.mac].filter(Boolean).join(" · "));
  show(parts.why, why(slot, kind));
  parts.bar.hidden = parts.rate.hidden = !runs;
  if (runs) {
    parts.bar.value = share;
    parts.share.textContent = Math.floor(share) + " %" + (number(slot.rate) ? " · " + bytes(slot.rate) + "/s" : "");
    parts.left.textContent = typeof slot.left_usec === "number" ? span(slot.left_usec) + " left" : "";
  }
}

/* For those who listen instead of looking. */
function speak(before, slot) {
  if (!before.phase || before.phase === slot.phase)
    return;
  if (slot.phase === "flashed")
    by("spoken").textContent = slot.slot + " flashed";
  else if (slot.phase === "failed")
    by("spoken").textContent = slot.slot + " failed: " + why(slot, "failed");
}

function takeSlots(slots, whole) {
  let ended = false;
  const before = whole ? new Map(tiles) : null;
  if (whole) {
    tiles.clear();
    by("slots").replaceChildren();
  }
  for (const slot of slots) {
    const name = text(slot.slot), tile = tiles.get(name) || (before && before.get(name)) || makeTile(name);
    speak(tile.slot, slot);
    ended = ended || tile.slot.last_realtime_usec !== slot.last_realtime_usec || tile.slot.attempt !== slot.attempt;
    tile.slot = slot;
    drawTile(tile);
    if (!tiles.has(name)) {
      tiles.set(name, tile);
      by("slots").append(tile.node);
    }
  }
  by("slots").className = tiles.size > 40 ? "crowd" : tiles.size > 12 ? "many" : "";
  by("no-slot").hidden = tiles.size > 0;
  if (ended)
    refreshSoon();
}

/* ---- header ---- */

let station = null, policies = [];

function drawHeader() {
  const flashed = number(station.flashed_today), failed = number(station.failed_today), boards = flashed + failed;
  by("name").textContent = text(station.name);
  by("flashed").textContent = flashed;
  by("failed-today").textContent = failed;
  by("first-pass").textContent = boards ? (100 * number(station.first_pass_today) / boards).toFixed(1) + " %" : "–";
  by("per-hour").textContent = number(station.flashed_last_hour);
  for (const name of ["running", "waiting", "failed"])
    by(name).textContent = number(station[name]);
  for (const name of ["failed-today", "failed"])
    by(name).parentNode.classList.toggle("some", by(name).textContent !== "0");
  by("version").textContent = "espdfud " + text(station.version);
  document.title = (number(station.failed) ? number(station.failed) + " failed – " : "") + text(station.name);
}

function drawAlerts(gone) {
  const alerts = [];
  if (gone)
    alerts.push(["gone", gone + (station ? " What is shown is how it was before." : "")]);
  if (station && station.held)
    alerts.push(["held", "The station is " + text(station.held) + ". Nothing new begins."]);
  if (station && station.ledger_trouble)
    alerts.push(["", "Attempts cannot be recorded, so nothing is flashed: " + text(station.ledger_trouble)]);
  if (station && station.lagging)
    alerts.push(["held", "The record is not copied to where it should be: " + text(station.lagging) + "."]);
  if (station && station.config_error)
    alerts.push(["", "The last reload was refused, the configuration before it is in force: " + text(station.config_error)]);
  for (const policy of policies)
    if (policy.unusable)
      alerts.push(["", "Policy " + text(policy.name) + " cannot be used: " + text(policy.unusable)]);
  const shown = JSON.stringify(alerts);
  if (by("alerts").dataset.shown === shown)
    return;
  by("alerts").dataset.shown = shown;
  by("alerts").replaceChildren(...alerts.map(([kind, words]) => element("p", kind, words)));
}

function setLink(up, why) {
  by("link").className = up ? "up" : "down";
  by("link-word").textContent = up ? "live" : "not live";
  document.body.classList.toggle("stale", !up);
  drawAlerts(up ? "" : why);
}

/* ---- events ---- */

let source = null, heard = 0;

function onNews(event) {
  let news;
  heard = Date.now();
  try {
    news = JSON.parse(event.data);
  } catch (error) {
    setLink(false, "espdfu-web tells nonsense.");
    return;
  }
  if (news.station) {
    station = news.station;
    if (Array.isArray(news.policies))
      policies = news.policies;
    drawHeader();
    takeSlots(Array.isArray(news.slots) ? news.slots : [], news.whole === true);
  }
  setLink(news.link.up, "The station is not heard: " + text(news.link.why) + ".");
}

function listen() {
  if (source)
    source.close();
  heard = Date.now();
  source = new EventSource("events");
  source.onmessage = onNews;
  source.addEventListener("beat", () => { heard = Date.now(); });
  source.onerror = () => setLink(false, "This page has lost espdfu-web; it tries again.");
}

/* A connection that has died without a word, and one that the browser gave up, begin anew. */
function look() {
  if (Date.now() - heard < SILENCE && source.readyState !== EventSource.CLOSED)
    return;
  setLink(false, "This page has lost espdfu-web; it tries again.");
  listen();
}

/* ---- history ---- */

const PAGE = 50, PAGES_MAX = 500;
let limit = PAGE, asked = 0, timer = 0;

function query(withLimit) {
  const q = new URLSearchParams();
  for (const [name, value] of new FormData(by("search")))
    if (String(value).trim())
      q.set(name, String(value).trim());
  if (withLimit)
    q.set("limit", limit);
  return q;
}

function says(words, wrong) {
  by("history-says").className = wrong ? "wrong" : "";
  show(by("history-says"), words);
}

function row(a) {
  const verdict = text(a.verdict), kind = verdict === "flashed" ? "done" : NEITHER.includes(verdict) ? "idle" : "failed";
  const tr = element("tr", kind), cells = [
    ["Time", moment(number(a.start_realtime_usec))], ["Slot", text(a.slot)],
    ["Verdict", verdict === "none" ? "running" : spaced(verdict)], ["Image", image(a)], ["MAC", text(a.mac)],
    ["Try", text(a.attempt)], ["Took", verdict === "none" ? "" : span(number(a.duration_usec))], ["Message", text(a.message)],
  ];
  for (const [label, words] of cells) {
    const td = element("td", "cell-" + label.toLowerCase(), words);
    td.dataset.label = label;
    tr.append(td);
  }
  tr.querySelector(".cell-verdict").prepend(shape(verdict === "none" ? "running" : kind));
  return tr;
}

async function find() {
  const mine = ++asked;
  try {
    const answer = await fetch("history?" + query(true));
    const words = answer.ok ? await answer.json() : await answer.text();
    if (mine !== asked)
      return;
    if (!answer.ok) {
      says(words.trim(), true);
      return;
    }
    const n = words.attempts.length, more = words.more === true;
    by("attempts").tBodies[0].replaceChildren(...words.attempts.map(row));
    by("more").hidden = !more || limit >= PAGES_MAX;
    says(n === 0 ? "No attempt is like that."
      : more ? "The newest " + n + (limit >= PAGES_MAX ? ". Narrow the search, or download the CSV, for more." : ".") : n + (n === 1 ? " attempt." : " attempts."));
  } catch (error) {
    if (mine === asked)
      says("The history cannot be read at this moment.", true);
  }
}

/* An attempt began or ended: the list follows, once for many of them. */
function refreshSoon() {
  if (!timer)
    timer = setTimeout(() => { timer = 0; find(); }, 400);
}

function begin() {
  const select = by("search").elements.verdict;
  for (const verdict of VERDICTS) {
    const option = element("option", "", verdict === "none" ? "running" : spaced(verdict));
    option.value = verdict;
    select.append(option);
  }
  const again = () => { limit = PAGE; find(); };
  by("find").addEventListener("click", again);
  by("search").addEventListener("keydown", event => {
    if (event.key === "Enter" && event.target.tagName === "INPUT") {
      event.preventDefault();
      again();
    }
  });
  select.addEventListener("change", again);
  by("clear").addEventListener("click", () => { by("search").reset(); again(); });
  by("search").addEventListener("submit", event => {
    event.preventDefault();
    location.assign("history.csv?" + query(false));
  });
  by("more").addEventListener("click", () => { limit = Math.min(limit * 2, PAGES_MAX); find(); });
  listen();
  setInterval(look, 2000);
  find();
}

begin();
