// The chosen member's key-values; those of the observed node can be set and deleted.

const MOST_KEYS = 400;
const SURE_FOR_MS = 4000;

class Keys {
  #session = null;
  #name = "";
  #loaded = "";
  #busy = false;
  #held = [];
  #rows = new Map();

  constructor() {
    this.body = byId("key-rows");
    byId("keys-search").addEventListener("input", () => this.#arrange());
    byId("keys-search").addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.target.value = "";
      this.#arrange();
    });
    byId("setter").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#set();
    });
  }

  observe(session) {
    this.#session = session;
    this.select("");
  }

  select(name) {
    if (name === this.#name) return;
    this.#name = name;
    this.#loaded = "";
    this.#held = [];
    this.#rows.clear();
    byId("keys-search").value = "";
    tell(byId("set-answer"), "");
    this.body.replaceChildren();
  }

  /** The chosen member as it is now; its keys are read again when its version is another. */
  show(member, { self }) {
    if (!member) return;
    this.isOwn = member.name === self;
    byId("setter").hidden = !this.isOwn;
    tell(byId("keys-of"), brief(member.name));
    this.#facts(member);
    const version = `${member.name} ${member.generation_id} ${member.max_version} ${member.last_gc_version} ${member.keys}`;
    if (version !== this.#loaded && !this.#busy) this.#load(member.name, version);
  }

  #facts(member) {
    const facts = [
      ["state", `${member.state} for ${duration(member.since * 1000)}`], ["phi", phiText(member.phi)], ["address", brief(member.address)],
      ["heartbeat", count(member.heartbeat)], ["version", count(member.max_version)],
      ["collected to", count(member.last_gc_version)], ["generation", String(member.generation_id)],
    ];
    const list = byId("facts");
    if (!list.children.length) list.append(...facts.map(([term]) => make("div", "", make("dt", "", term), make("dd"))));
    facts.forEach(([, text], i) => tell(list.children[i].lastElementChild, text));
  }

  async #load(name, version) {
    this.#busy = true;
    try {
      const keys = await this.#session.request(`/v1/nodes/${segment(name)}/keys`);
      if (name !== this.#name) return;
      const isFirst = this.#loaded === "";
      this.#loaded = version;
      this.#take(keys, isFirst);
    } catch (error) {
      if (error instanceof Refused && name === this.#name) this.#empty(`The key-values cannot be read: ${error.message}`);
    } finally {
      this.#busy = false;
    }
  }

  #take(keys, isFirst) {
    this.#held = Object.entries(keys).sort(([a], [b]) => collator.compare(a, b));
    const gone = new Set(this.#rows.keys());
    for (const [key, held] of this.#held) {
      gone.delete(key);
      const row = this.#rows.get(key) ?? this.#newRow(key);
      row.show(held, !isFirst);
    }
    for (const key of gone) this.#rows.delete(key);
    this.#arrange();
  }

  #newRow(key) {
    const row = new KeyRow(key, this.isOwn, () => this.#delete(key));
    this.#rows.set(key, row);
    return row;
  }

  #arrange() {
    const word = byId("keys-search").value.trim().toLowerCase();
    const found = this.#held.filter(([key, { value }]) => !word || key.toLowerCase().includes(word) || value.toLowerCase().includes(word));
    const rows = found.slice(0, MOST_KEYS).map(([key]) => this.#rows.get(key).element);
    if (rows.length !== this.body.children.length || rows.some((row, i) => row !== this.body.children[i])) {
      const focused = document.activeElement;
      this.body.replaceChildren(...rows);
      if (this.body.contains(focused)) focused.focus({ preventScroll: true });
    }
    tell(byId("keys-count"), word ? `${count(found.length)} of ${plural(this.#held.length, "key-value")}` : plural(this.#held.length, "key-value"));
    if (found.length > MOST_KEYS) this.#empty(`and ${count(found.length - MOST_KEYS)} more: search for the one you want`);
    else if (found.length) this.#empty("");
    else this.#empty(this.#held.length ? "No key or value has that in it." : "It has no key-values.");
  }

  #empty(text) {
    byId("keys-empty").hidden = text === "";
    tell(byId("keys-empty"), text);
  }

  async #set() {
    const [key, value, ttl] = ["set-key", "set-value", "set-ttl"].map((id) => byId(id).value);
    const query = ttl.trim() ? `?ttl_s=${segment(ttl.trim())}` : "";
    const done = await this.#write(key, query, { method: "PUT", body: value }, `${brief(key, 60) || "the empty key"} is set`);
    if (!done) return;
    for (const id of ["set-key", "set-value"]) byId(id).value = "";
    byId("set-key").focus();
  }

  #delete(key) {
    return this.#write(key, "", { method: "DELETE" }, `${brief(key, 60) || "the empty key"} is deleted`);
  }

  async #write(key, query, options, done) {
    const answer = byId("set-answer");
    answer.dataset.mood = "";
    if (key === "." || key === "..") {
      answer.dataset.mood = "alarm";
      tell(answer, "No browser can send this key: it would be taken for a part of the path. Use the command `tidings set`.");
      return false;
    }
    try {
      await this.#session.request(`/v1/keys/${segment(key)}${query}`, options);
      tell(answer, done);
      this.#session.hurry();
      return true;
    } catch (error) {
      answer.dataset.mood = "alarm";
      tell(answer, error instanceof Refused ? `Not done: ${error.message}` : "Whether it was done is not known: the agent does not answer.");
      return false;
    }
  }
}

class KeyRow {
  #version = null;

  constructor(key, isOwn, remove) {
    const name = make("div", "", visible(key) || "(empty)");
    this.value = make("div");
    this.version = make("td", "number");
    this.status = make("td");
    const acts = make("td");
    // Keys that the cluster itself writes are not for users to delete.
    if (isOwn && !key.startsWith("tidings.")) acts.append(this.#remover(key, remove));
    this.element = make("tr", "", make("td", "", name), make("td", "", this.value), this.version, this.status, acts);
    this.element.dataset.key = key;
  }

  show({ value, version, status }, isNews) {
    if (version === this.#version) return;
    this.#version = version;
    tell(this.value, visible(value));
    tell(this.version, count(version));
    tell(this.status, status === "delete_after_ttl" ? "expires" : status);
    this.element.classList.remove("fresh");
    if (!isNews) return;
    // Reading a measure starts the fading anew.
    void this.element.offsetWidth;
    this.element.classList.add("fresh");
  }

  /** Deletes at the second press. */
  #remover(key, remove) {
    const button = make("button", "", "delete");
    button.type = "button";
    button.setAttribute("aria-label", `delete ${brief(key, 60)}`);
    let timer = 0;
    const calm = () => {
      timer = 0;
      tell(button, "delete");
      button.setAttribute("aria-label", `delete ${brief(key, 60)}`);
    };
    button.addEventListener("click", () => {
      clearTimeout(timer);
      if (timer) {
        calm();
        return remove();
      }
      tell(button, "sure?");
      button.setAttribute("aria-label", `sure? Press again to delete ${brief(key, 60)}`);
      timer = setTimeout(calm, SURE_FOR_MS);
    });
    return button;
  }
}
