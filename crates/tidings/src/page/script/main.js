// The page: one observed node, and all parts that show what it says.

/** Their table is short enough to leave room below it. */
const FEW_MEMBERS = 8;

const page = { nodes: [], session: null, seen: null, foremost: new Map(), chosen: "", before: null, failing: null };

const picture = new Picture(byId("picture"), byId("tip"), choose);
const members = new Members(choose);
const keys = new Keys();
const log = new Log((text) => tell(byId("said"), text));
const traffic = new Chart(byId("traffic"), byId("traffic-legend"), {
  series: [{ name: "sent", label: "sent" }, { name: "received", label: "received" }], unit: rate, least: 100,
  says: ([sent, received]) => sent === null ? "Traffic over time" : `Traffic over the last minutes; now ${rate(sent)} sent, ${rate(received)} received`,
});
const phi = new Chart(byId("phi"), byId("phi-legend"), {
  series: [{ name: "highest", label: "highest of a live member" }, { name: "chosen", label: "the chosen member" }],
  unit: (n) => String(Number(n.toFixed(2))), least: 2,
  says: ([highest]) => `Phi over the last minutes; the highest of a live member is ${phiText(highest)} now`,
});

function choose(name) {
  if (page.chosen !== name) {
    phi.restart(1);
    phi.rename(1, brief(name, 24));
  }
  page.chosen = name;
  members.select(name);
  picture.select(name);
  keys.select(name);
  showChosen();
  const member = page.foremost.get(name);
  if (member && document.activeElement === byId("picture")) {
    tell(byId("said"), `${brief(name)}, ${member.state}, phi ${phiText(member.phi)}`);
  }
}

function showChosen() {
  if (!page.seen) return;
  keys.show(page.foremost.get(page.chosen), { self: page.seen.self });
}

const hears = {
  saw(seen) {
    page.seen = seen;
    page.foremost = foremostOf(seen.members);
    const shared = { self: seen.self, threshold: seen.stats.phi_threshold };
    const sorted = [...page.foremost.values()].sort((a, b) => collator.compare(a.name, b.name));
    recovered();
    showHead(seen);
    if (!page.foremost.has(page.chosen)) choose(seen.self);
    members.show(sorted, shared);
    picture.show(sorted, shared);
    picture.exchanged(exchangesOf(seen), page.session.pace);
    byId("picture").setAttribute("aria-label", `${plural(sorted.length, "member")} in a picture: ${counts(sorted)}`);
    tell(byId("picture-note"), pictureNote(sorted.length));
    showFigures(seen, sorted);
    showChosen();
    byId("main").dataset.size = sorted.length <= FEW_MEMBERS ? "few" : "many";
    byId("main").setAttribute("aria-busy", "false");
  },

  heard(event) {
    log.heard(event);
  },

  listens(isOpen) {
    page.listens = isOpen;
    showLink();
  },

  lost(error, pause) {
    page.failing ??= { since: Date.now() };
    page.failing.next = Date.now() + pause;
    const name = brief(page.session.node.name || page.seen?.self || "The agent", 60);
    const what = error instanceof Refused ? `${name} answers with an error: ${error.message}.` : `${name} does not answer.`;
    const shown = page.seen ? ` What is shown is from ${clock(page.seenAt)}.` : "";
    const alarm = byId("alarm");
    const text = `${what}${shown} The page goes on trying.`;
    // Written once: it is read aloud at every change.
    if (page.failing.text !== text) {
      page.failing.text = text;
      tell(alarm, text);
    }
    alarm.hidden = false;
    byId("main").dataset.stale = "yes";
    showLink();
  },

  locked(error) {
    askForToken(sessionStorage.getItem(TOKEN_SLOT) ? `This one was not taken: ${error.message}` : "");
  },
};

/** Of each name one: who was restarted is known in several generations for a while. */
function foremostOf(all) {
  const named = new Map();
  for (const member of all) named.set(member.name, [...(named.get(member.name) ?? []), member]);
  return new Map([...named].map(([name, generations]) => [name, newest(generations)]));
}

function recovered() {
  page.seenAt = Date.now();
  if (page.failing) tell(byId("said"), "The agent answers again.");
  page.failing = null;
  byId("alarm").hidden = true;
  byId("main").dataset.stale = "no";
  showLink();
}

function showLink() {
  const link = byId("link");
  const { failing, listens } = page;
  link.dataset.link = failing ? "down" : listens ? "up" : "starting";
  const wait = failing ? Math.max(0, Math.ceil((failing.next - Date.now()) / 1000)) : 0;
  tell(byId("link-text"), failing ? `no answer for ${duration(Math.floor((Date.now() - failing.since) / 1000) * 1000 || 1000)}, again ${wait ? `in ${wait} s` : "now"}`
    : listens ? "live" : "connecting");
}

function showHead({ cluster_id, self }) {
  tell(byId("cluster"), brief(cluster_id));
  tell(byId("self"), page.nodes.length > 1 ? "" : brief(self));
  document.title = `${brief(cluster_id, 40)} · tidings`;
  for (const option of byId("node").options) {
    const state = page.foremost.get(option.value)?.state;
    tell(option, `${brief(option.value, 60)}${state && state !== "live" ? ` (${state})` : ""}`);
  }
}

function counts(list) {
  const inState = (state) => list.filter((member) => member.state === state).length;
  return `${inState("live")} live, ${inState("dead")} dead, ${inState("left")} left`;
}

function pictureNote(many) {
  if (many === 1) return `Alone so far. Another node joins with --seed ${brief(page.foremost.get(page.seen.self).address)}`;
  const witnesses = page.session.witnesses.length;
  const by = witnesses > 1 ? `${count(witnesses)} nodes` : "this node";
  const rows = picture.isGrid ? `${count(many)} members by name, row by row. ` : "";
  return `${rows}Lines: exchanges of ${by} in the last ${picture.isGrid ? 10 : 30} s, dashed if failed. Dots run from who dialled.`;
}

/** From and to by name; who is unknown by name is found by address. An exchange that two saw is told by who dialled. */
function exchangesOf(seen) {
  const byAddress = new Map([...page.foremost.values()].map(({ address, name }) => [address, name]));
  const witnesses = new Set(page.session.witnesses.map(({ name }) => name));
  const told = [];
  for (const exchange of seen.exchanges) {
    const witness = exchange.witness || seen.self;
    const peer = exchange.peer ?? byAddress.get(exchange.address);
    const isDialled = exchange.direction === "dialled";
    if (peer === undefined || (!isDialled && witnesses.has(peer))) continue;
    // Neither of these reached anybody.
    if (exchange.outcome === "skipped" || exchange.outcome === "cancelled") continue;
    const [from, to] = isDialled ? [witness, peer] : [peer, witness];
    told.push({ from, to, went: exchange.outcome === "completed", ago: exchange.ended_ms_ago });
  }
  return told;
}

function showFigures({ stats }, list) {
  const now = Date.now();
  for (const state of ["live", "dead", "left"]) tell(byId(`count-${state}`), count(list.filter((member) => member.state === state).length));
  byId("count-dead").dataset.mood = list.some((member) => member.state === "dead") ? "alarm" : "";
  const phis = list.filter((member) => member.state === "live" && member.phi !== null).map((member) => member.phi);
  const highest = phis.length ? Math.max(...phis) : null;
  const threshold = stats.phi_threshold;
  tell(byId("figure-phi"), phiText(highest));
  byId("figure-phi").dataset.mood = highest >= threshold ? "alarm" : highest >= threshold / 2 ? "worry" : "";
  tell(byId("ramp-top"), String(threshold));
  tell(byId("figure-round"), duration(stats.gossip_interval_ms));
  tell(byId("figure-uptime"), duration(Math.floor(stats.uptime_ms / 1000) * 1000 || 1));
  phi.least = threshold * 1.1;
  phi.setLimit(threshold, `dead from ${threshold}`);
  phi.add(now, [highest, page.foremost.get(page.chosen)?.phi ?? null]);

  const { bytes_sent: sent, bytes_received: received } = stats.driver;
  const before = page.before;
  const passed = before ? stats.uptime_ms - before.uptime : 0;
  // Looks that follow one another at once measure nothing; a node that has started anew counts from 0.
  if (before && passed > 0 && passed < 300) return;
  page.before = { sent, received, uptime: stats.uptime_ms };
  if (!before || passed <= 0) return;
  const per = (from, to) => (Math.max(0, to - from) / passed) * 1000;
  const [out, in_] = [per(before.sent, sent), per(before.received, received)];
  tell(byId("figure-sent"), rate(out));
  tell(byId("figure-received"), rate(in_));
  tell(byId("traffic-of"), `of ${brief(page.seen.self, 40)}`);
  traffic.add(now, [out, in_]);
}

function observe(node) {
  page.session?.stop();
  if (page.session && page.session.node !== node) {
    Object.assign(page, { seen: null, before: null, chosen: "", listens: false, failing: null, foremost: new Map() });
    byId("alarm").hidden = true;
    byId("main").dataset.stale = "no";
    log.clear();
    traffic.clear();
    phi.clear();
    picture.forget();
  }
  page.session = new Session(node, page.nodes.filter((other) => other !== node), hears);
  keys.observe(page.session);
  page.session.start();
  if (page.nodes.length > 1) history.replaceState(null, "", `#${segment(node.name)}`);
}

function askForToken(why) {
  tell(byId("asks-answer"), why);
  byId("asks-answer").dataset.mood = "alarm";
  byId("token").value = "";
  byId("asks").showModal();
}

byId("asks-form").addEventListener("submit", () => {
  sessionStorage.setItem(TOKEN_SLOT, byId("token").value.trim());
  observe(page.session.node);
});
// Without a token there is nothing to show, so that the question stays.
byId("asks").addEventListener("cancel", (event) => event.preventDefault());

byId("node").addEventListener("change", (event) => {
  const node = page.nodes.find(({ name }) => name === event.target.value);
  if (node) observe(node);
});

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, select, textarea, dialog");
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  byId("search").focus();
});

setInterval(() => page.failing && showLink(), 1000);

async function start() {
  for (let tries = 0; !page.nodes.length; tries += 1) {
    try {
      page.nodes = (await request("page.json")).nodes;
    } catch (error) {
      byId("alarm").hidden = false;
      tell(byId("alarm"), `The agent does not say what to show (${error.message}). The page goes on trying.`);
      await pauseFor(Math.min(1000 * 2 ** tries, 10000));
    }
  }
  byId("alarm").hidden = true;
  const picker = byId("node");
  if (page.nodes.length > 1) {
    picker.hidden = false;
    picker.append(...page.nodes.map(({ name }) => new Option(brief(name, 60), name)));
  }
  const wanted = decodeURIComponent(location.hash.slice(1));
  const node = page.nodes.find(({ name }) => name === wanted) ?? page.nodes[0];
  picker.value = node.name;
  observe(node);
}

start();
