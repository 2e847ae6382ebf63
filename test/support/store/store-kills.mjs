// A process that is killed again and again while it writes a store, and what must be left.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { Store } from 'memmap/store';
import { seeded } from '../random.mjs';
import { fixture } from '../process/run.mjs';
import { contentsOf, difference, operation, same, through } from './store-ops.mjs';

const LARGE = 300_000;
const KEYS = 40;
/** Steps of the store after which a writer kills itself, at most: of some 12 operations. */
const STEPS = 120;

/** A process that waits until it is told from which operation on to go. */
function worker(path, seed) {
  const child = spawn(process.execPath, [fixture('store-worker'), path, String(seed), String(LARGE)], {
    stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
  });
  const said = [];
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
  child.stdin.on('error', () => {});
  child.stdio[3].on('data', (bytes) => said.push(bytes));
  const closed = once(child, 'close');
  return {
    child,
    begins: (first, steps) => child.stdin.write(`${first} ${steps}\n`),
    closed,
    async saysSomething() {
      if (said.length > 0) return;
      await Promise.race([once(child.stdio[3], 'data'), closed]);
      assert.ok(said.length > 0, `the writer ended: ${errors}`);
    },
    /** Kills it. @returns the last operation that it began, and the last it has done */
    async dies() {
      child.kill('SIGKILL');
      const [code, signal] = await closed;
      assert.deepEqual({ code, signal }, { code: null, signal: 'SIGKILL' }, errors);
      const words = Buffer.concat(said);
      const last = { begun: -1, done: -1 };
      for (let at = 0; at + 4 <= words.length; at += 4) {
        const word = words.readUInt32LE(at);
        last[word % 2 === 0 ? 'begun' : 'done'] = word >>> 1;
      }
      return last;
    },
  };
}

function reader(path) {
  const child = spawn(process.execPath, [fixture('store-reader'), path, String(KEYS)], { stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (output += text));
  const closed = once(child, 'close');
  return async () => {
    child.stdin.end();
    const [code] = await closed;
    assert.equal(code, 0, output);
    return Number(output);
  };
}

/** Opens the store, and tells which of the models it is. */
async function left(path, models, where) {
  const store = Store.open(path);
  try {
    const found = contentsOf(store);
    const index = models.findLastIndex((model) => same(model, found));
    assert.notEqual(index, -1, `${where}: none of ${models.length} models; of the last: ${difference(found, models.at(-1))}`);
    assert.equal(store.size, found.size, where);
    const { damage, pairs } = await store.check();
    assert.deepEqual({ damage, pairs }, { damage: [], pairs: found.size }, where);
    return models[index];
  } finally {
    store.close();
  }
}

/**
 * Kills a writer `rounds` times, at random instants; after each, what it has done is there, and of
 * what it was doing all or nothing. Readers meanwhile find nothing torn.
 *
 * @returns { operations, between, read }: done, how many kills met one under way, values read
 */
export async function kills(path, { seed, rounds, readers = 1, longest = 40, onRound }) {
  const next = seeded(seed);
  Store.open(path).close();
  const others = Array.from({ length: readers }, () => reader(path));
  let model = new Map();
  let number = 0;
  let between = 0;
  let following = worker(path, seed);
  try {
    for (let round = 1; round <= rounds; round++) {
      const one = following;
      // At any instant, most of which are within a system call; or between two steps, where those are seldom.
      const steps = round % 2 === 0 ? 0 : 1 + next(STEPS);
      one.begins(number, steps);
      if (steps === 0) await one.saysSomething();
      following = worker(path, seed);
      await (steps === 0 ? setTimeout(next(longest)) : one.closed);
      const { begun, done } = await one.dies();
      for (; number <= done; number++) model = through(model, operation(seed, number, { large: LARGE }).steps).at(-1);
      const underway = begun > done ? operation(seed, begun, { large: LARGE }) : { kind: 'nothing', steps: [] };
      if (begun > done) between += 1;
      const where = `seed ${seed}, round ${round}, operation ${begun}, ${underway.kind}`;
      model = await left(path, through(model, underway.steps), where);
      number = Math.max(number, begun + 1);
      onRound?.(round, number);
    }
    let read = 0;
    for (const ends of others.splice(0)) read += await ends();
    return { operations: number, between, read };
  } finally {
    following.child.kill('SIGKILL');
    await Promise.allSettled(others.map((ends) => ends()));
  }
}
