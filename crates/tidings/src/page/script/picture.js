// The members as a picture: few in a ring with their names, many row by row. Nodes and lines are drawn on a sheet of
// their own when something changes; a frame of animation is that sheet and the dots under way.

const LINE_LASTS_MS = 30000;
const DOT_LASTS_MS = 750;
const DOTS_APART_MS = 300;
const MOST_DOTS = 60;
const MOST_LINES = 300;
/** Among many members the newest lines are enough. */
const MOST_LINES_IN_GRID = 24;
const MOST_IN_RING = 24;

class Picture {
  #members = [];
  #places = [];
  #columns = 0;
  #radius = 10;
  #lines = new Map();
  #dots = [];
  #hovered = -1;
  #frame = 0;
  #still = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(canvas, tip, choose) {
    this.canvas = canvas;
    this.tip = tip;
    this.choose = choose;
    this.context = canvas.getContext("2d");
    this.sheet = document.createElement("canvas");
    this.chosen = "";
    this.self = "";
    this.threshold = 8;
    this.#readColours();
    new ResizeObserver(() => this.#resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#readColours());
    canvas.addEventListener("pointermove", (event) => this.#hover(this.#at(event)));
    canvas.addEventListener("pointerleave", () => this.#hover(-1));
    canvas.addEventListener("click", (event) => this.#choose(this.#at(event)));
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Whether the members are in rows, without room for every name. */
  get isGrid() {
    return this.#columns > 0;
  }

  /** Members of distinct names, in the order in which they are shown. */
  show(members, { self, threshold }) {
    const moved = members.length !== this.#members.length || members.some((m, i) => m.name !== this.#members[i].name);
    this.#members = members;
    this.self = self;
    this.threshold = threshold;
    if (moved) this.#place();
    this.#draw();
  }

  select(name) {
    this.chosen = name;
    this.#draw();
  }

  /** Lets these exchanges be seen: a line each, and a dot from who dialled. They are played back over `span` ms. */
  exchanged(exchanges, span) {
    const now = performance.now();
    for (const { from, to, went, ago } of exchanges) {
      const name = JSON.stringify(from < to ? [from, to] : [to, from]);
      const at = now - ago;
      this.#lines.delete(name);
      this.#lines.set(name, { from, to, went, at });
      if (went && ago < 2 * span && !this.#still.matches) this.#send({ from, to, start: now + Math.max(0, span - ago) });
    }
    for (const [name, line] of this.#lines) {
      if (now - line.at > LINE_LASTS_MS || this.#lines.size > MOST_LINES) this.#lines.delete(name);
    }
    this.#draw();
    this.#animate();
  }

  /** One after the other, and not so close that they would be a line of their own. */
  #send(dot) {
    const isClose = ({ from, to, start }) => from === dot.from && to === dot.to && Math.abs(start - dot.start) < DOTS_APART_MS;
    if (this.#dots.length < MOST_DOTS && !this.#dots.some(isClose)) this.#dots.push(dot);
  }

  forget() {
    this.#members = [];
    this.#lines.clear();
    this.#dots = [];
    this.#hover(-1);
    this.#place();
    this.#draw();
  }

  #readColours() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(`--${name}`).trim();
    const [ink, quiet, card, gone, alarm, accent] = ["ink", "quiet", "card", "gone", "alarm", "accent"].map(read);
    this.colours = { ink, quiet, card, gone, alarm, accent };
    const stops = ["calm", "worry", "alarm"].map((name) => rgb(read(name)));
    this.ramp = Array.from({ length: 33 }, (_, i) => mix(stops, i / 32));
    this.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    this.#draw();
  }

  #resize() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const scale = Math.min(devicePixelRatio || 1, 2);
    this.size = { width, height, scale };
    for (const canvas of [this.canvas, this.sheet]) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    this.#place();
    this.#draw();
  }

  #place() {
    if (!this.size) return;
    const { width, height } = this.size;
    const many = this.#members.length;
    const across = Math.max(40, Math.min(width / 2 - this.#roomForNames(), height * 0.8));
    const down = Math.max(40, height / 2 - 46);
    this.#columns = 0;
    if (many <= Math.min(MOST_IN_RING, Math.max(6, (across + down) / 16))) return this.#placeInRing(across, down);
    const [wide, high] = [width - 32, height - 20];
    let columns = Math.max(1, Math.ceil(Math.sqrt((many * wide) / high)));
    let rows = Math.ceil(many / columns);
    const cell = Math.min(wide / columns, high / rows);
    this.#columns = columns;
    this.cell = { width: wide / columns, height: Math.min(high / rows, cell * 1.2) };
    const top = (height - this.cell.height * rows) / 2;
    this.#radius = Math.max(2, Math.min(10, cell * 0.32));
    this.#places = this.#members.map((_, i) => ({
      x: 16 + this.cell.width * ((i % columns) + 0.5), y: top + this.cell.height * (Math.floor(i / columns) + 0.5),
    }));
  }

  /** The observed node is at the top (of two at the left), the others follow clockwise by name. */
  #placeInRing(across, down) {
    const { width, height } = this.size;
    const many = this.#members.length;
    const first = this.#members.findIndex((member) => member.name === this.self);
    const start = many === 2 ? Math.PI : -Math.PI / 2;
    this.#radius = many <= 8 ? 15 : 12;
    this.#places = this.#members.map((_, i) => {
      const angle = (((i - first + many) % many) / many) * 2 * Math.PI + start;
      return { x: width / 2 + across * Math.cos(angle), y: down * Math.sin(angle), angle };
    });
    const heights = this.#places.map(({ y }) => y);
    const middle = many > 1 ? (Math.min(...heights) + Math.max(...heights)) / 2 : -down;
    for (const place of this.#places) place.y += height / 2 - middle;
  }

  /** Beside the ring, in pixels. */
  #roomForNames() {
    const { width } = this.size;
    this.context.font = this.font;
    const few = this.#members.slice(0, MOST_IN_RING);
    const widest = Math.max(0, ...few.map(({ name }) => this.context.measureText(brief(name, 40)).width));
    return Math.max(60, Math.min(widest + 40, width * 0.3, 170));
  }

  #draw() {
    if (!this.size) return;
    const { width, height, scale } = this.size;
    const context = this.sheet.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const index = new Map(this.#members.map((member, i) => [member.name, i]));
    this.index = index;
    this.#drawLines(context);
    context.font = this.font;
    this.#members.forEach((member, i) => this.#drawMember(context, member, this.#places[i]));
    this.#paint(performance.now());
  }

  #drawLines(context) {
    const now = performance.now();
    const lasts = this.isGrid ? LINE_LASTS_MS / 3 : LINE_LASTS_MS;
    context.lineWidth = this.isGrid ? 1 : 1.5;
    const lines = [...this.#lines.values()].sort((a, b) => a.at - b.at);
    for (const { from, to, went, at } of this.isGrid ? lines.slice(-MOST_LINES_IN_GRID) : lines) {
      const [a, b] = [this.#places[this.index.get(from)], this.#places[this.index.get(to)]];
      const fresh = 1 - (now - at) / lasts;
      if (!a || !b || fresh <= 0) continue;
      context.globalAlpha = Math.min(1, 0.12 + (this.isGrid ? 0.4 : 0.55) * fresh);
      context.strokeStyle = went ? this.colours.accent : this.colours.alarm;
      context.setLineDash(went ? [] : [4, 4]);
      const bend = this.#bend(a, b);
      context.beginPath();
      context.moveTo(a.x, a.y);
      context.quadraticCurveTo(bend.x, bend.y, b.x, b.y);
      context.stroke();
    }
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  /** A line bends a little towards the middle; the same for both directions. */
  #bend(a, b) {
    const pull = this.isGrid ? 0 : 0.12;
    const { width, height } = this.size;
    const [x, y] = [(a.x + b.x) / 2, (a.y + b.y) / 2];
    return { x: x + (width / 2 - x) * pull, y: y + (height / 2 - y) * pull };
  }

  #colour(member) {
    if (member.name === this.self || member.phi === null) return this.ramp[0];
    return this.ramp[Math.round(32 * Math.max(0, Math.min(1, member.phi / this.threshold)))];
  }

  #drawMember(context, member, place) {
    const r = this.#radius;
    const { x, y } = place;
    const { ink, card, gone, alarm } = this.colours;
    context.beginPath();
    if (member.state === "dead") {
      context.fillStyle = alarm;
      context.fillRect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8);
      context.strokeStyle = card;
      context.lineWidth = Math.max(1.2, r / 5);
      const arm = r * 0.45;
      context.moveTo(x - arm, y - arm);
      context.lineTo(x + arm, y + arm);
      context.moveTo(x + arm, y - arm);
      context.lineTo(x - arm, y + arm);
      context.stroke();
    } else if (member.state === "left") {
      context.fillStyle = card;
      context.strokeStyle = gone;
      context.lineWidth = 1.5;
      context.moveTo(x, y - r);
      context.lineTo(x + r, y);
      context.lineTo(x, y + r);
      context.lineTo(x - r, y);
      context.closePath();
      context.fill();
      context.stroke();
    } else {
      context.fillStyle = this.#colour(member);
      context.arc(x, y, r, 0, 2 * Math.PI);
      context.fill();
    }
    context.strokeStyle = ink;
    if (member.name === this.self) {
      context.fillStyle = card;
      context.beginPath();
      context.arc(x, y, r * 0.36, 0, 2 * Math.PI);
      context.fill();
    }
    if (member.name === this.chosen || this.#members[this.#hovered] === member) {
      context.lineWidth = member.name === this.chosen ? 2 : 1;
      context.beginPath();
      context.arc(x, y, r + (member.state === "dead" ? 6 : 4), 0, 2 * Math.PI);
      context.stroke();
    }
    this.#drawName(context, member, place);
  }

  #drawName(context, member, { x, y, angle }) {
    const text = brief(member.name, 40);
    const isChosen = member.name === this.chosen;
    context.fillStyle = isChosen || member.state === "dead" ? this.colours.ink : this.colours.quiet;
    if (this.isGrid) {
      if (this.cell.width < 62 || this.cell.height < 34) return;
      context.textAlign = "center";
      context.textBaseline = "top";
      return this.#fit(context, text, x, y + this.#radius + 5, this.cell.width - 8);
    }
    const [across, down] = [Math.cos(angle), Math.sin(angle)];
    const { width } = this.size;
    const gap = this.#radius + 9;
    if (Math.abs(across) > 0.25) {
      context.textAlign = across > 0 ? "left" : "right";
      context.textBaseline = "middle";
      const at = x + gap * Math.sign(across);
      return this.#fit(context, text, at, y + down * 6, (across > 0 ? width - at : at) - 8);
    }
    context.textAlign = "center";
    context.textBaseline = down > 0 ? "top" : "bottom";
    const room = this.#members.length > 8 ? width / 2 / (this.#members.length / 5) : width * 0.6;
    this.#fit(context, text, x, y + gap * Math.sign(down), room);
  }

  #fit(context, text, x, y, room) {
    let shown = text;
    while (shown.length > 1 && context.measureText(shown).width > room) {
      shown = `${shown.slice(0, Math.min(shown.length - 2, Math.ceil(shown.length * 0.9)))}…`.replace(/……$/, "…");
    }
    // Lines may run behind it.
    context.strokeStyle = this.colours.card;
    context.lineWidth = 3;
    context.lineJoin = "round";
    context.strokeText(shown, x, y);
    context.fillText(shown, x, y);
  }

  #animate() {
    if (this.#frame || !this.#dots.length) return;
    const step = (now) => {
      this.#frame = 0;
      this.#dots = this.#dots.filter((dot) => now < dot.start + DOT_LASTS_MS);
      this.#paint(now);
      if (this.#dots.length) this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
  }

  #paint(now) {
    if (!this.size) return;
    const { width, height, scale } = this.size;
    const context = this.context;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.sheet, 0, 0);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.fillStyle = this.colours.accent;
    context.strokeStyle = this.colours.card;
    context.lineWidth = 1.5;
    for (const { from, to, start } of this.#dots) {
      const [a, b] = [this.#places[this.index.get(from)], this.#places[this.index.get(to)]];
      if (!a || !b || now < start) continue;
      const way = ease(Math.min(1, (now - start) / DOT_LASTS_MS));
      const bend = this.#bend(a, b);
      const along = (p, q, s) => (1 - way) ** 2 * p + 2 * way * (1 - way) * q + way ** 2 * s;
      context.beginPath();
      context.arc(along(a.x, bend.x, b.x), along(a.y, bend.y, b.y), this.isGrid ? 3 : 4.5, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    }
  }

  #at(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    let [best, nearest] = [-1, Math.max(this.#radius + 8, 14)];
    this.#places.forEach((place, i) => {
      const distance = Math.hypot(place.x - x, place.y - y);
      if (distance < nearest) [best, nearest] = [i, distance];
    });
    return best;
  }

  #hover(i) {
    if (i === this.#hovered) return;
    this.#hovered = i;
    this.canvas.style.cursor = i < 0 ? "default" : "pointer";
    const member = this.#members[i];
    this.tip.hidden = !member;
    if (member) {
      const phi = member.name === this.self ? "the observed node" : `phi ${phiText(member.phi)}`;
      this.tip.textContent = `${brief(member.name, 40)}\n${member.state}, ${phi}\n${plural(member.keys, "key")}, version ${count(member.max_version)}`;
      const { x, y } = this.#places[i];
      const { offsetWidth: wide, offsetHeight: high } = this.tip;
      const left = Math.max(4, Math.min(x - wide / 2, this.size.width - wide - 4));
      const above = y - this.#radius - high - 8;
      this.tip.style.transform = `translate(${left}px, ${above > 0 ? above : y + this.#radius + 8}px)`;
    }
    this.#draw();
  }

  #choose(i) {
    const member = this.#members[i];
    if (member) this.choose(member.name);
  }

  #key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.#columns || 1, ArrowUp: -(this.#columns || 1) }[event.key];
    const last = this.#members.length - 1;
    if (last < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const at = this.index.get(this.chosen) ?? 0;
    let next;
    if (step !== undefined) next = this.isGrid ? Math.max(0, Math.min(last, at + step)) : (at + step + last + 1) % (last + 1);
    else if (event.key === "Home") next = 0;
    else if (event.key === "End") next = last;
    else return;
    event.preventDefault();
    this.#choose(next);
  }
}

const ease = (t) => (t < 0.5 ? 2 * t * t : 1 - (2 - 2 * t) ** 2 / 2);

const rgb = (hex) => [1, 3, 5].map((at) => parseInt((hex.length === 4 ? hex.replace(/\w/g, "$&$&") : hex).slice(at, at + 2), 16));

function mix(stops, at) {
  const bends = [0, 0.55, 1];
  const i = at < bends[1] ? 0 : 1;
  const part = (at - bends[i]) / (bends[i + 1] - bends[i]);
  const [r, g, b] = stops[i].map((from, channel) => Math.round(from + (stops[i + 1][channel] - from) * part));
  return `rgb(${r} ${g} ${b})`;
}
