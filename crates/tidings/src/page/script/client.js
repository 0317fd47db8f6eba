// The agent's HTTP API: requests with their token, and the event stream.

const TOKEN_SLOT = "tidings-token";
const REQUEST_TIMEOUT_MS = 8000;
/** The agent sends at least a comment every 15 s. */
const STREAM_SILENCE_MS = 40000;

/** The agent answered, and said no. */
class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || `the answer was ${status} ${problem.title || ""}`.trim());
    this.status = status;
  }
}

/** There was no answer. */
class Silent extends Error {}

/** Relative, so that the page may also be served under a path. */
const address = (path) => new URL(path.replace(/^\//, ""), document.baseURI);

const segment = (text) => encodeURIComponent(text);

function headers(more) {
  const token = sessionStorage.getItem(TOKEN_SLOT);
  return token ? { ...more, Authorization: `Bearer ${token}` } : { ...more };
}

/** Integers that a JavaScript number would round, as generation_id, become texts. Inside JSON strings quotes are escaped, so this cannot match there. */
const parse = (text) => JSON.parse(text.replace(/("[a-z_]+":\s*)(\d{16,})/g, '$1"$2"'));

async function refusal(response) {
  let problem = {};
  try {
    problem = parse(await response.text());
  } catch {
    // Something between us and the agent answered; its status has to do.
  }
  return new Refused(response.status, problem);
}

async function request(path, options = {}) {
  const signals = [AbortSignal.timeout(REQUEST_TIMEOUT_MS), ...(options.signal ? [options.signal] : [])];
  let response, text;
  try {
    response = await fetch(address(path), {
      ...options, headers: headers(options.headers), signal: AbortSignal.any(signals), cache: "no-store",
    });
    if (response.ok) text = await response.text();
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Silent("no answer");
  }
  if (!response.ok) throw await refusal(response);
  return text ? parse(text) : null;
}

/** Reads the event stream to its end, and calls `opened()` once and `hear({id, kind, data})` for each event; one without data only tells its id. */
async function stream(path, lastId, signal, opened, hear) {
  const quiet = new AbortController();
  let timer;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => quiet.abort(), STREAM_SILENCE_MS);
  };
  wait();
  try {
    const response = await fetch(address(path), {
      headers: headers(lastId ? { "Last-Event-ID": lastId } : {}),
      signal: AbortSignal.any([signal, quiet.signal]), cache: "no-store",
    });
    if (!response.ok) throw await refusal(response);
    opened();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const lines = new Lines(hear);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      wait();
      lines.take(value);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Server-sent events out of pieces of text. */
class Lines {
  #rest = "";
  #event = { id: null, kind: "message", data: [] };

  constructor(hear) {
    this.hear = hear;
  }

  take(piece) {
    const lines = (this.#rest + piece).split("\n");
    this.#rest = lines.pop();
    for (const line of lines) this.#line(line.replace(/\r$/, ""));
  }

  #line(line) {
    if (line === "") return this.#end();
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "id") this.#event.id = value;
    else if (field === "event") this.#event.kind = value;
    else if (field === "data") this.#event.data.push(value);
  }

  #end() {
    const { id, kind, data } = this.#event;
    this.#event = { id: null, kind: "message", data: [] };
    if (id || data.length) this.hear({ id, kind, data: data.length ? parse(data.join("\n")) : null });
  }
}
