// Clients that put, get and delete sessions, and remember what they may find: what was
// acknowledged last, and what was tried since without an answer.
import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';

const CLIENTS = 16;
/** Sessions of a client, which nobody else writes. */
const SESSIONS = 20;
const MOST_BYTES = 20_000;
/** Milliseconds before a client asks again that got no answer. */
const PAUSE = 20;

/** The version of a session in full: one can tell from it which it is, and whether all of it is there. */
function sessionOf(id, version) {
  const hash = createHash('sha256').update(`${id} ${version}`).digest();
  const filling = hash.toString('hex').repeat(Math.ceil((hash.readUInt16LE() % MOST_BYTES) / 64));
  return `${id} ${version} ${filling}`;
}

/** A session as its client knows it: the versions it may have, oldest first; 0: none. */
class Session {
  #versions = [0];
  #tried = 0;

  constructor(id) {
    this.id = id;
  }

  /** A version that may be there from now on. A deletion has a number too, but none shows it. */
  try(deletes) {
    this.#tried += 1;
    const version = deletes ? 0 : this.#tried;
    this.#versions.push(version);
    return version;
  }

  acknowledged() {
    this.#versions = [this.#versions.at(-1)];
  }

  /** Whether that version may be there. If so, no older one may from now on. */
  found(version) {
    const at = this.#versions.indexOf(version);
    if (at === -1) return false;
    this.#versions = this.#versions.slice(at);
    return true;
  }

  toString() {
    return `${this.id} should have version ${this.#versions.join(' or ')}`;
  }
}

export class Load {
  /** What happened; `lost` and `torn` should stay empty. */
  counts = { gets: 0, acknowledged: 0, unanswered: 0 };
  lost = [];
  torn = [];
  #url;
  #sessions = [];

  constructor(port) {
    this.#url = `http://127.0.0.1:${port}/session/`;
  }

  /** Keeps the service busy until `signal` aborts. */
  async run(signal) {
    const clients = Array.from({ length: CLIENTS }, async (_, client) => {
      const sessions = Array.from({ length: SESSIONS }, (__, i) => new Session(`client-${client}-session-${i}`));
      this.#sessions.push(...sessions);
      while (!signal.aborted) {
        const session = sessions[Math.floor(Math.random() * SESSIONS)];
        if (Math.random() < 0.5) await this.#get(session);
        else await this.#write(session, Math.random() < 0.2);
      }
    });
    await Promise.all(clients);
  }

  /** Looks for each session once more. @returns how many there are */
  async verify() {
    let there = 0;
    for (const session of this.#sessions) {
      let version;
      do version = await this.#get(session);
      while (version === undefined);
      if (version !== 0) there += 1;
    }
    return there;
  }

  async #write(session, deletes) {
    const version = session.try(deletes);
    const answer = await this.#ask(session, deletes ? { method: 'DELETE' } : { method: 'PUT', body: sessionOf(session.id, version) });
    if (answer?.status !== 204) return;
    session.acknowledged();
    this.counts.acknowledged += 1;
  }

  /** @returns the version; undefined: there was no answer */
  async #get(session) {
    const answer = await this.#ask(session, { method: 'GET' });
    if (answer === undefined) return undefined;
    this.counts.gets += 1;
    const version = answer.status === 404 ? 0 : Number(answer.body.split(' ', 2)[1]);
    if (version !== 0 && answer.body !== sessionOf(session.id, version)) this.torn.push(`${session.id}: ${answer.body.slice(0, 80)}`);
    else if (!session.found(version)) this.lost.push(`${session}, has ${version}`);
    return version;
  }

  /** Undefined if there was no answer: whether it was done is not known. */
  async #ask({ id }, request) {
    try {
      const response = await fetch(this.#url + id, request);
      const body = await response.text();
      if (response.status === 500) this.torn.push(`${id}: ${body}`);
      if (response.status < 500) return { status: response.status, body };
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // 'fetch failed', 'terminated'
    }
    this.counts.unanswered += 1;
    await setTimeout(PAUSE);
    return undefined;
  }
}
