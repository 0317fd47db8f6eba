// The table of members: searched, sorted, walked by keyboard.

/** More rows than anybody reads; a search narrows them. */
const MOST_ROWS = 600;

class Members {
  #rows = new Map();
  #shown = [];
  #members = [];
  #sort = { by: "name", down: false };
  #chosen = "";
  #here = null;

  constructor(choose) {
    this.choose = choose;
    this.body = byId("rows");
    this.search = byId("search");
    this.search.addEventListener("input", () => this.#arrange());
    this.search.addEventListener("keydown", (event) => this.#searchKey(event));
    for (const head of document.querySelectorAll("th[data-sort]")) {
      head.firstElementChild.addEventListener("click", () => this.#sortBy(head.dataset.sort));
    }
    this.body.addEventListener("click", (event) => this.#click(event));
    this.body.addEventListener("keydown", (event) => this.#key(event));
    this.#markHead();
  }

  /** Members of distinct names. */
  show(members, { self, threshold }) {
    this.#members = members;
    this.self = self;
    this.threshold = threshold;
    const gone = new Set(this.#rows.keys());
    for (const member of members) {
      const { name } = member;
      gone.delete(name);
      if (!this.#rows.has(name)) this.#rows.set(name, new MemberRow());
      this.#rows.get(name).show(member, this);
    }
    for (const name of gone) this.#rows.delete(name);
    this.#arrange();
  }

  select(name) {
    this.#chosen = name;
    this.#markChosen();
  }

  #arrange() {
    const words = this.search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const found = [...this.#rows.values()].filter((row) => words.every((word) => row.text.includes(word)));
    found.sort((a, b) => this.#compare(a.member, b.member));
    const rows = found.slice(0, MOST_ROWS);
    if (rows.length !== this.#shown.length || rows.some((row, i) => row !== this.#shown[i])) {
      const focused = rows.find((row) => row.button === document.activeElement);
      this.body.replaceChildren(...rows.map((row) => row.element));
      focused?.button.focus({ preventScroll: true });
      this.#shown = rows;
    }
    const all = this.#rows.size;
    tell(byId("members-count"), words.length ? `${count(found.length)} of ${count(all)}` : count(all));
    const empty = byId("members-empty");
    empty.hidden = found.length > 0 && found.length <= MOST_ROWS;
    if (all > 0) {
      tell(empty, found.length ? `and ${count(found.length - MOST_ROWS)} more: search for the one you want`
        : "No member has that in its name, address or state.");
    }
    this.#markChosen();
  }

  #compare(a, b) {
    const { by, down } = this.#sort;
    const names = collator.compare(a.name, b.name);
    if (by === "name") return down ? -names : names;
    const [x, y] = [a[by], b[by]];
    // What is unknown comes last in either direction.
    if (x === null || y === null) return (x === null) - (y === null) || names;
    const order = typeof x === "string" ? collator.compare(x, y) : x - y;
    return (down ? -order : order) || names;
  }

  #sortBy(by) {
    const same = this.#sort.by === by;
    const numbers = !["name", "state", "address"].includes(by);
    this.#sort = { by, down: same ? !this.#sort.down : numbers };
    this.#markHead();
    this.#arrange();
  }

  #markHead() {
    for (const head of document.querySelectorAll("th[data-sort]")) {
      if (head.dataset.sort === this.#sort.by) head.setAttribute("aria-sort", this.#sort.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  /** One row alone is a tab stop: the one last used, else the chosen one, else the first. */
  #markChosen() {
    for (const row of this.#shown) row.mark(row.member.name === this.#chosen);
    const stop = this.#shown.find((row) => row === this.#here)
      ?? this.#shown.find((row) => row.member.name === this.#chosen) ?? this.#shown[0];
    for (const row of this.#shown) row.button.tabIndex = row === stop ? 0 : -1;
  }

  #click(event) {
    const row = this.#shown.find((row) => row.element === event.target.closest("tr"));
    if (!row) return;
    this.#here = row;
    this.choose(row.member.name);
  }

  #key(event) {
    const at = this.#shown.findIndex((row) => row.button === event.target);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
    if (at < 0 || step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.#here = this.#shown[Math.max(0, Math.min(this.#shown.length - 1, at + step))];
    this.#markChosen();
    this.#here.button.focus();
  }

  #searchKey(event) {
    if (event.key === "ArrowDown" && this.#shown.length) {
      event.preventDefault();
      this.#here = this.#shown[0];
      this.#markChosen();
      this.#here.button.focus();
    } else if (event.key === "Enter" && this.#shown.length === 1) {
      this.choose(this.#shown[0].member.name);
    } else if (event.key === "Escape") {
      this.search.value = "";
      this.#arrange();
    }
  }
}

class MemberRow {
  constructor() {
    this.button = make("button");
    this.button.type = "button";
    this.mark_ = make("i", "mark");
    this.mark_.setAttribute("aria-hidden", "true");
    this.state = make("span");
    const cells = [
      make("td", "", this.button), make("td", "", make("span", "badge", this.mark_, this.state)), make("td", "number"),
      make("td", "number"), make("td", "number"), make("td", "number wide"), make("td", "wide"),
    ];
    this.cells = cells;
    this.element = make("tr", "", ...cells);
  }

  show(member, { self, threshold }) {
    this.member = member;
    const { name, state, phi, keys, max_version, heartbeat, address } = member;
    const text = `${name} ${address} ${state}`.toLowerCase();
    if (this.text !== text) {
      this.text = text;
      tell(this.button, brief(name));
      tell(this.state, state);
      tell(this.cells[6], brief(address));
      this.cells[6].title = brief(address);
      this.button.title = brief(name, 600);
      this.element.dataset.state = state;
      this.element.dataset.name = name;
    }
    const heat = state !== "live" || phi === null ? "" : phi >= threshold ? " hot" : phi >= threshold / 2 ? " warm" : "";
    const mark = `mark ${state}${heat}`;
    if (this.mark_.className !== mark) this.mark_.className = mark;
    tell(this.cells[2], name === self && phi === null ? "self" : phiText(phi));
    [keys, max_version, heartbeat].forEach((number, i) => tell(this.cells[3 + i], count(number)));
  }

  mark(isChosen) {
    this.element.setAttribute("aria-selected", isChosen);
    if (isChosen) this.button.setAttribute("aria-current", "true");
    else this.button.removeAttribute("aria-current");
  }
}
