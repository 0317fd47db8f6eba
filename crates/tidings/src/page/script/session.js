// One observed node: asked again and again, and listened to. Whatever it says goes to `hears`.

const PACE_MS = 1000;
/** From so many members on an answer is large, and is asked for half as often. */
const MANY_MEMBERS = 150;
/** Of so many of the page's other nodes, the exchanges are asked for too. */
const MOST_WITNESSES = 11;
const LONGEST_PAUSE_MS = 10000;
/** So many events from before the page was opened are shown. */
const EARLIER_EVENTS = 50;

class Session {
  #end = new AbortController();
  #seen = new Map();
  #generations = new Map();
  /** Who is not live need not be asked. */
  #absent = new Set();
  #lastId = null;
  #hasHeard = false;
  #wake = () => {};

  constructor(node, witnesses, hears) {
    this.node = node;
    this.witnesses = [node, ...witnesses.slice(0, MOST_WITNESSES)];
    this.hears = hears;
    this.pace = PACE_MS;
  }

  start() {
    this.#watch();
  }

  stop() {
    this.#end.abort();
  }

  get ended() {
    return this.#end.signal.aborted;
  }

  request(path, options = {}) {
    return request(`${this.node.api}${path}`, { ...options, signal: this.#end.signal });
  }

  /** Looks now, not at the next turn. */
  hurry() {
    this.#wake();
  }

  async #watch() {
    let failures = 0;
    let listening = false;
    while (!this.ended) {
      let pause = this.pace;
      try {
        const seen = await this.#look();
        if (this.ended) return;
        failures = 0;
        this.hears.saw(seen);
        if (!listening) {
          listening = true;
          this.#listen(seen.sequence);
        }
      } catch (error) {
        if (this.ended) return;
        if (error.status === 401) return this.hears.locked(error);
        pause = Math.min(PACE_MS * 2 ** failures, LONGEST_PAUSE_MS);
        failures += 1;
        this.hears.lost(error, pause);
      }
      await this.#rest(pause);
      if (document.hidden) await this.#shown();
    }
  }

  async #look() {
    const others = this.witnesses.slice(1).filter(({ name }) => !this.#absent.has(name)).map((node) => this.#exchanges(node).catch(() => []));
    const [members, stats, exchanges, ...more] = await Promise.all([
      this.request("/v1/members"), this.request("/v1/stats"), this.#exchanges(this.node), ...others,
    ]);
    this.pace = members.members.length > MANY_MEMBERS ? 2 * PACE_MS : PACE_MS;
    this.#noteGenerations(members);
    this.#absent = new Set(members.members.filter(({ state }) => state !== "live").map(({ name }) => name));
    for (const { name, state } of members.members) if (state === "live") this.#absent.delete(name);
    return { ...members, stats, exchanges: [...exchanges, ...more.flat()] };
  }

  /** What is new since the last time, told from the one who saw it: from, to, and whether it went well. */
  async #exchanges(node) {
    const after = this.#seen.get(node.api);
    const query = after === undefined ? "" : `?after=${after}`;
    const answer = await request(`${node.api}/v1/exchanges${query}`, { signal: this.#end.signal });
    const newest = answer.exchanges.at(-1);
    if (newest) this.#seen.set(node.api, newest.seq);
    return answer.exchanges.map((exchange) => ({ ...exchange, witness: node.name }));
  }

  /** A node that has started anew counts its exchanges from the beginning. */
  #noteGenerations({ self, members }) {
    for (const node of this.witnesses) {
      const name = node === this.node ? self : node.name;
      const generation = newest(members.filter((member) => member.name === name))?.generation_id;
      if (generation === undefined || this.#generations.get(node.api) === generation) continue;
      if (this.#generations.has(node.api)) this.#seen.delete(node.api);
      this.#generations.set(node.api, generation);
    }
  }

  async #listen(sequence) {
    let failures = 0;
    while (!this.ended) {
      const path = this.#lastId ? "/v1/events" : `/v1/events?after=${Math.max(0, Number(sequence) - EARLIER_EVENTS)}`;
      try {
        await stream(`${this.node.api}${path}`, this.#lastId, this.#end.signal, () => {
          failures = 0;
          this.hears.listens(true);
        }, (event) => this.#heard(event));
      } catch (error) {
        if (error.status === 401) return;
      }
      if (this.ended) return;
      this.hears.listens(false);
      await pauseFor(Math.min(PACE_MS / 2 * 2 ** failures, LONGEST_PAUSE_MS));
      failures += 1;
    }
  }

  #heard(event) {
    if (this.ended) return;
    if (event.id) this.#lastId = event.id;
    if (!event.data) return;
    const isFirst = !this.#hasHeard;
    this.#hasHeard = true;
    // Nothing was missed at the beginning: the state was read just now.
    if (event.kind === "lagged" && isFirst) return;
    this.hears.heard(event);
    if (event.kind !== "key-changed" || this.pace === PACE_MS) this.hurry();
  }

  #rest(ms) {
    return new Promise((resolve) => {
      const earliest = pauseFor(Math.min(ms, PACE_MS / 4));
      const timer = setTimeout(resolve, ms);
      this.#wake = () => earliest.then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #shown() {
    return new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
  }
}

/** Of the generations of one name the live one, else the newest. They are texts or numbers of any length. */
function newest(members) {
  const weight = (member) => [member.state === "live" ? 1n : 0n, BigInt(member.generation_id)];
  return members.reduce((best, member) => {
    if (!best) return member;
    const [a, b] = [weight(best), weight(member)];
    return b[0] > a[0] || (b[0] === a[0] && b[1] > a[1]) ? member : best;
  }, undefined);
}

const pauseFor = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
