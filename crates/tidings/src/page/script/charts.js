// Two charts over the last minutes, in SVG.

/** It begins with the shortest, and grows with what there is to show. */
const SPANS = [60000, 120000, 300000];
const LONGEST_MS = SPANS.at(-1);
const SVG = "http://www.w3.org/2000/svg";
const EDGE = { left: 58, right: 12, top: 10, bottom: 22 };

class Chart {
  #samples = [];
  #wait = 0;

  /** `series` is [{name, label}]; the first number of a sample is its time. `least` is the least height of the y axis. */
  constructor(svg, legend, { series, unit, least, says }) {
    Object.assign(this, { svg, series, unit, least, says });
    this.limit = null;
    this.legend = legend;
    this.#keys();
    new ResizeObserver(() => this.draw()).observe(svg);
  }

  /** Numbers in the order of the series; null where there is none. */
  add(at, numbers) {
    this.#samples.push([at, ...numbers]);
    while (this.#samples[0][0] < at - LONGEST_MS - 5000) this.#samples.shift();
    this.draw();
  }

  clear() {
    this.#samples = [];
    this.draw();
  }

  /** Forgets one series: it stands for something else from now on. */
  restart(index) {
    for (const sample of this.#samples) sample[index + 1] = null;
  }

  rename(index, label) {
    this.series[index].label = label;
    this.#keys();
  }

  #keys() {
    const lines = this.limit === null ? this.series : [...this.series, { name: "limit", label: this.limit.label }];
    const texts = lines.map(({ label }) => label).join();
    if (texts === this.texts) return;
    this.texts = texts;
    this.legend.replaceChildren(...lines.map(({ name, label }) => {
      const mark = make("i", `mark line ${name}`);
      return make("span", "", mark, make("bdi", "", label));
    }));
  }

  setLimit(value, label) {
    this.limit = { value, label };
    this.#keys();
  }

  draw() {
    // Both a sample and a change of size may ask for it in the same moment.
    cancelAnimationFrame(this.#wait);
    this.#wait = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    const { width, height } = this.svg.getBoundingClientRect();
    if (width < 80) return;
    const style = getComputedStyle(this.svg);
    const [wide, high] = [width - parseFloat(style.paddingLeft) * 2, height - parseFloat(style.paddingBottom)];
    this.svg.setAttribute("viewBox", `0 0 ${wide} ${high}`);
    const now = this.#samples.at(-1)?.[0] ?? Date.now();
    const highest = Math.max(this.least, ...this.#samples.flatMap(([, ...numbers]) => numbers.filter((n) => n !== null)));
    const step = roundStep(highest / 4);
    const top = Math.max(step, Math.ceil(highest / step) * step);
    const age = now - (this.#samples[0]?.[0] ?? now);
    const span = SPANS.find((span) => age <= span) ?? LONGEST_MS;
    const x = (at) => EDGE.left + (1 - (now - at) / span) * (wide - EDGE.left - EDGE.right);
    const y = (n) => high - EDGE.bottom - (n / top) * (high - EDGE.top - EDGE.bottom);
    const parts = [];
    for (let n = 0; n <= top * 1.001; n += step) {
      parts.push(line(n === 0 ? "base" : "grid", EDGE.left, y(n), wide - EDGE.right, y(n)));
      parts.push(label(EDGE.left - 8, y(n) + 4, "end", this.unit(n)));
    }
    const marks = wide < 420 ? 2 : 4;
    for (let i = marks; i > 0; i -= 1) {
      const ago = (span / marks) * i;
      parts.push(label(x(now - ago), high - 5, i === marks ? "start" : "middle", `−${agoText(ago)}`));
    }
    parts.push(label(wide - EDGE.right, high - 5, "end", "now"));
    if (this.limit && this.limit.value <= top) {
      parts.push(line("limit", EDGE.left, y(this.limit.value), wide - EDGE.right, y(this.limit.value)));
    }
    this.series.forEach(({ name }, i) => {
      const path = element("path", { class: name, d: this.#path(i + 1, x, y, now - span) });
      parts.push(path);
    });
    this.svg.replaceChildren(...parts);
    const last = this.#samples.at(-1);
    if (last) this.svg.setAttribute("aria-label", this.says(last.slice(1)));
  }

  /** A gap where nothing was heard for a while. */
  #path(index, x, y, from) {
    let path = "";
    let before = null;
    for (const sample of this.#samples) {
      const [at, number] = [sample[0], sample[index]];
      if (number === null || at < from) {
        before = null;
        continue;
      }
      path += `${before !== null && at - before < 6000 ? "L" : "M"}${x(at).toFixed(1)} ${y(number).toFixed(1)}`;
      before = at;
    }
    return path;
  }
}

function element(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

const agoText = (ms) => (ms % 60000 === 0 || ms > 120000 ? `${Number((ms / 60000).toFixed(2))} min` : `${ms / 1000} s`);

const line = (name, x1, y1, x2, y2) => element("line", { class: name, x1, y1, x2, y2 });

function label(x, y, anchor, text) {
  const made = element("text", { x, y, "text-anchor": anchor });
  made.textContent = text;
  return made;
}

/** The next of 1, 2, 5, 10, ... */
function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= least * 0.999) ?? 10 * power;
}
