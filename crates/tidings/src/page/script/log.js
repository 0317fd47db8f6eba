// What happened, newest first.

const MOST_ENTRIES = 300;
/** Announcements are gathered for so long, and only members' states are announced. */
const GATHERED_FOR_MS = 1200;

class Log {
  #entries = [];
  #told = 0;
  #gathered = [];
  #timer = 0;
  #drawn = false;

  constructor(announce) {
    this.announce = announce;
    for (const id of ["show-members", "show-keys"]) byId(id).addEventListener("change", () => this.#draw());
  }

  clear() {
    this.#entries = [];
    this.#told = 0;
    this.#draw();
  }

  /** An event of the stream. */
  heard({ id, kind, data }) {
    const isKey = kind.startsWith("key-");
    const said = isKey ? keySaid(kind, data) : memberSaid(kind, data);
    const at = data.at_ms ?? Date.now();
    const time = make("time", "", clock(at));
    time.dateTime = new Date(at).toISOString();
    const mark = make("i", `mark ${MARKS[kind] ?? ""}`);
    mark.setAttribute("aria-hidden", "true");
    const element = make("li", "", time, mark, make("span", "what", ...said));
    element.dataset.kind = kind;
    if (id) element.title = `event ${id}`;
    this.#entries.unshift({ isKey, isAlways: kind === "lagged", element });
    this.#told += 1;
    if (this.#entries.length > MOST_ENTRIES) this.#entries.pop();
    if (!isKey && Date.now() - at < 10000) this.#announce(element.lastElementChild.textContent);
    this.#drawSoon();
  }

  #announce(text) {
    this.#gathered.push(text);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const many = this.#gathered.length;
      this.announce(many > 4 ? `${many} changes among the members` : this.#gathered.join(". "));
      this.#gathered = [];
    }, GATHERED_FOR_MS);
  }

  /** Many events may come at once, and are drawn once. */
  #drawSoon() {
    if (this.#drawn) return;
    this.#drawn = true;
    setTimeout(() => {
      this.#drawn = false;
      this.#draw();
    }, 60);
  }

  #draw() {
    const [members, keys] = ["show-members", "show-keys"].map((id) => byId(id).checked);
    const shown = this.#entries.filter(({ isKey, isAlways }) => isAlways || (isKey ? keys : members));
    byId("log").replaceChildren(...shown.map(({ element }) => element));
    byId("log-empty").hidden = shown.length > 0;
    tell(byId("log-empty"), this.#entries.length ? "None of the kinds chosen above." : "No event yet.");
    tell(byId("events-count"), this.#told > MOST_ENTRIES ? `the last ${count(MOST_ENTRIES)} of ${count(this.#told)}` : "");
  }
}

const MARKS = {
  "member-live": "live", "member-restarted": "live", "member-moved": "live", "member-dead": "dead", "member-left": "left", "member-forgotten": "left",
  "name-refused": "dead", "key-changed": "key", "key-deleted": "key", lagged: "lag",
};

const SAID = {
  "member-live": "is live", "member-dead": "is dead", "member-left": "has left",
  "member-forgotten": "is forgotten", "member-restarted": "has started anew", "member-moved": "has another address",
  "name-refused": "keeps its name, which another node goes by with another certificate",
};

function memberSaid(kind, data) {
  if (kind === "lagged") {
    const missed = data.missed === null || data.missed === undefined ? "Some events were missed" : `${plural(data.missed, "event was", "events were")} missed`;
    return [`${missed}; the state was read again.`];
  }
  return [make("b", "", make("bdi", "", brief(data.name ?? "?"))), ` ${SAID[kind] ?? kind}`];
}

function keySaid(kind, data) {
  const owner = make("b", "", make("bdi", "", brief(data.name ?? "?")));
  const key = make("code", "", make("bdi", "", brief(data.key ?? "", 80) || "(empty)"));
  if (kind === "key-deleted") return [owner, " deleted ", key];
  return [owner, " set ", key, " to ", make("code", "", make("bdi", "", brief(data.value ?? "") || "(empty)"))];
}
