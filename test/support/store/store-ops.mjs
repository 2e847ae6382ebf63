// Operations on a store that follow from a seed and a number: whoever knows both knows what a
// store must contain. Values tell which key and which operation they are of.
import { seeded } from '../random.mjs';

/** The value of a key as operation `version` puts it. */
export function valueOf(key, version, length) {
  const value = Buffer.alloc(length);
  const next = seeded(Math.imul(version, 2_654_435_761) ^ hashOf(key));
  for (let i = 0; i < length; i += 4) {
    const word = next(2 ** 32);
    for (let j = i; j < Math.min(i + 4, length); j++) value[j] = word >>> (8 * (j - i));
  }
  if (length >= 8) {
    value.writeUInt32LE(version, 0);
    value.writeUInt32LE(length, 4);
  }
  return value;
}

function hashOf(key) {
  let hash = 0;
  for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  return hash;
}

/** Whether some operation can have put this value. */
export function isWhole(key, value) {
  if (value.length < 8) return value.equals(Buffer.alloc(value.length)) || value.length > 0;
  return value.readUInt32LE(4) === value.length && value.equals(valueOf(key, value.readUInt32LE(0), value.length));
}

/** The keys: short, long and not ASCII. */
export function keyOf(number) {
  if (number % 11 === 3) return `schlüssel-${number}-`.repeat(1 + (number % 5) * 8);
  return number === 0 ? '' : `key ${number}`;
}

/** @param heavy so that pieces of the log follow each other soon */
function lengthOf(next, large, heavy) {
  const kind = next(100);
  if (heavy) return next(kind < 40 ? 300 : kind < 80 ? 12_000 : 60_000);
  if (kind < 60) return next(200);
  if (kind < 85) return next(2000);
  return next(kind < 98 ? 12_000 : large);
}

/**
 * Operation `number`: its kind, and the steps it consists of, each of which happens as a whole. A
 * step is changes: [key, value], or [key, undefined] for one that goes.
 */
export function operation(seed, number, { keys = 40, large = 70_000, heavy = false } = {}) {
  const next = seeded(Math.imul(seed, 7919) + Math.imul(number, 104_729));
  const put = (salt) => {
    const key = keyOf(next(keys));
    return [key, valueOf(key, number * 64 + salt, lengthOf(next, large, heavy))];
  };
  const drop = () => [keyOf(next(keys)), undefined];
  const many = (one) => Array.from({ length: 1 + next(7) }, (_, i) => one(i));
  const kind = next(100);
  if (kind < 48) return { kind: 'put', steps: [[put(0)]] };
  if (kind < 62) return { kind: 'delete', steps: [[drop()]] };
  if (kind < 76) return { kind: 'transaction', steps: [many((i) => (next(3) === 0 ? drop() : put(i)))] };
  if (kind < 80) return { kind: 'throws', steps: [], changes: many((i) => (next(3) === 0 ? drop() : put(i))) };
  if (kind < 84) return { kind: 'putMany', steps: many((i) => [put(i)]) };
  if (kind < 92) return { kind: 'commit', steps: [] };
  if (kind < 95) return { kind: 'commitAsync', steps: [] };
  return { kind: 'compact', steps: [], waste: next(3) / 4 };
}

function change(store, [key, value]) {
  if (value === undefined) store.delete(key);
  else store.put(key, value);
}

/** Performs an operation. */
export async function perform(store, { kind, steps, changes, waste }) {
  if (kind === 'put' || kind === 'delete') change(store, steps[0][0]);
  else if (kind === 'putMany') store.putMany(steps.map(([pair]) => pair));
  else if (kind === 'commit') store.commit();
  else if (kind === 'commitAsync') await store.commitAsync();
  else if (kind === 'compact') await store.compact({ waste });
  else if (kind === 'transaction') store.transaction(() => steps[0].forEach((one) => change(store, one)));
  else throwing(store, changes);
}

const REASON = new Error('the transaction does not want to');

function throwing(store, changes) {
  try {
    store.transaction(() => {
      for (const one of changes) change(store, one);
      throw REASON;
    });
  } catch (error) {
    if (error !== REASON) throw error;
  }
}

/** What a model is after a step. */
export function after(model, step) {
  const result = new Map(model);
  for (const [key, value] of step) {
    if (value === undefined) result.delete(key);
    else result.set(key, value);
  }
  return result;
}

/** The models from this one on to the one after all steps. */
export function through(model, steps) {
  const models = [model];
  for (const step of steps) models.push(after(models.at(-1), step));
  return models;
}

/** What a store contains. */
export function contentsOf(store) {
  return new Map(store.entries());
}

/** Bytes that the records of pairs of key and value take in the log. */
export function liveBytes(pairs) {
  let sum = 0;
  for (const [key, value] of pairs) sum += 16 + filledUp(Buffer.byteLength(key)) + filledUp(value.length);
  return sum;
}

const filledUp = (length) => 8 * Math.ceil(length / 8);

/** Whether two maps have the same keys and values. */
export function same(one, other) {
  if (one.size !== other.size) return false;
  for (const [key, value] of one) {
    if (other.get(key)?.equals(value) !== true) return false;
  }
  return true;
}

/** In what way `found` is not `expected`, in words. */
export function difference(found, expected) {
  const lines = [];
  for (const [key, value] of expected) {
    const other = found.get(key);
    if (other === undefined) lines.push(`${key} is missing`);
    else if (!other.equals(value)) lines.push(`${key} is of ${versionOf(other)}, not of ${versionOf(value)}`);
  }
  for (const key of found.keys()) if (!expected.has(key)) lines.push(`${key} is there`);
  return lines.slice(0, 8).join('; ');
}

const versionOf = (value) => (value.length >= 8 ? value.readUInt32LE(0) / 64 : `${value.length} bytes`);
