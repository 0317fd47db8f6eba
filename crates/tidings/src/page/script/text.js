// Words and numbers for people. All text goes into the page as text, never as markup.

const byId = (id) => document.getElementById(id);

const collator = new Intl.Collator("en", { numeric: true });
const whole = new Intl.NumberFormat("en");

/** An element with classes, text and children. */
function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** Writes only what differs, so that nothing is laid out in vain. */
function tell(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Names, keys and values come from other nodes: what would be invisible, or turn the reading direction, is shown.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

function visible(text) {
  return text.replace(UNSEEN, (c) => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** In one line, and no longer than it is worth reading there. */
function brief(text, most = 120) {
  const line = visible(text).replace(/\s+/g, " ");
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}

/** A count; what is too large for a JavaScript number comes as text, and stays as it is. */
const count = (number) => (typeof number === "number" ? whole.format(number) : String(number));

function bytes(number) {
  for (const unit of ["B", "kB", "MB"]) {
    if (number < 999.5) return `${number < 99.95 && unit !== "B" ? number.toFixed(1) : Math.round(number)} ${unit}`;
    number /= 1000;
  }
  return `${number.toFixed(1)} GB`;
}

const rate = (number) => `${bytes(number)}/s`;

const phiText = (phi) => (phi === null || phi === undefined ? "–" : phi < 99.95 ? phi.toFixed(2) : Math.round(phi).toString());

function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`;
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
  if (hours < 1) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return days < 1 ? `${hours} h ${minutes % 60} min` : `${days} d ${hours % 24} h`;
}

const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");

const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
