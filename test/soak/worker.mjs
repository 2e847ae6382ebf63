// One thread of the soak: holds some mappings and does something to one of them at random, and what
// acts/ has. It may be terminated at any moment.
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { FaultError, mapAnonymous, mapFile } from 'memmap';
import { seeded } from '../support/random.mjs';
import { hasExternalBuffers } from '../support/process/runtime.mjs';
import { freshActs } from './acts/fresh.mjs';
import { placingActs } from './acts/placing.mjs';
import { postingActs } from './acts/posting.mjs';
import { protectingActs } from './acts/protecting.mjs';
import { Control } from './control.mjs';
import { counter } from './figures.mjs';
import { PAGE } from './files.mjs';

const { index, name, seed, guarded, files, steady, folder, without, next: borrower, previous: lender, reader } = workerData;
const control = new Control(workerData.control);
const figure = counter(workerData.figures);
const MOST = 6;
const KINDS = hasExternalBuffers ? ['shared', 'shared', 'array'] : ['shared'];
/** Steps from one collection to the next: what closed mappings leave is only freed with their buffers. */
const COLLECT = 100;
/** Milliseconds for which a wiped page may stay in sight. */
const MOST_WIPED = 3000;
const pause = new Int32Array(new SharedArrayBuffer(4));

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

const next = seeded(seed);
const one = (list) => list[next(list.length)];
const nonzero = () => 1 + next(255);

const held = [];
/** Views that another worker has lent. */
const borrowed = [];
let seen = 0;
const counted = { truncated: 0, noSpace: 0, memoryFailures: 0, violations: 0, afterClose: 0 };

function map() {
  const buffer = one(KINDS);
  if (next(4) > 0) {
    const access = one(['read', 'read-write', 'copy-on-write']);
    const writes = access === 'read' ? 'read' : 'read-write';
    const copies = access === 'copy-on-write';
    return { mapping: mapFile(one(files), { access, buffer }), file: true, copies, writes, lent: false };
  }
  const mapping = mapAnonymous({ length: PAGE * (1 + next(16)), sharing: one(['private', 'shared']), buffer });
  mapping.bytes.fill(nonzero());
  return { mapping, file: false, copies: false, writes: 'read-write', lent: false };
}

/** Whether the mapping says that something has happened to it. */
function faulted({ mapping }) {
  try {
    mapping.check();
    return false;
  } catch (error) {
    assert.ok(error instanceof FaultError, error.stack);
    return true;
  }
}

/** Where a zero is: among a few bytes, or all; or -1. */
function findZero(bytes) {
  if (next(4) === 0) return bytes.indexOf(0);
  for (let i = 0; i < 50; i++) {
    const at = next(bytes.length);
    if (bytes[at] === 0) return at;
  }
  return -1;
}

/** Without the guard nobody counts, and a signal is to end the process. */
function assertCounted(isCounted, what) {
  assert.ok(isCounted || !guarded, what);
}

function write(bytes) {
  if (next(4) === 0) bytes.fill(nonzero(), next(bytes.length));
  else for (let i = 0; i < 50; i++) bytes[next(bytes.length)] = nonzero();
}

/** The kernel moves no private copies that mending has left in parts. */
function refresh({ mapping, copies }) {
  try {
    mapping.refresh();
  } catch (error) {
    if (error.code !== 'EFAULT' || !copies) throw error;
  }
}

function repair(entry) {
  if (faulted(entry)) seen += 1;
  if (entry.file) refresh(entry);
  else entry.mapping.protect('read-write');
}

/** @param readOnly whether the borrower must not write to it @returns whether it could be lent */
function lend({ buffer, bytes }, readOnly) {
  if (!(buffer instanceof SharedArrayBuffer)) return false;
  borrower.postMessage({ bytes, readOnly });
  return true;
}

/** To a thread that reads on, whatever becomes of it. */
function expose({ buffer, bytes }) {
  if (buffer instanceof SharedArrayBuffer) reader?.postMessage(bytes);
}

/** Closing never fails, whatever has run out: no code, so that nobody takes it for a want. */
function close(mapping) {
  try {
    mapping.close();
  } catch (error) {
    throw new Error('close() failed', { cause: error });
  }
}

const acts = {
  read(entry) {
    const { bytes } = entry.mapping;
    const at = bytes.length > 0 ? findZero(bytes) : -1;
    if (at === -1) return;
    // The kernel wipes a large folio that a file loses in part before it takes the page from who had just got
    // it; the process that truncates may have to wait for a processor in between.
    for (let tries = 0; bytes[at] === 0 && !faulted(entry) && tries < MOST_WIPED; tries++) Atomics.wait(pause, 0, 0, 1);
    assertCounted(bytes[at] !== 0 || faulted(entry), 'zeros that nobody has counted');
  },
  write: ({ mapping }) => mapping.bytes.length > 0 && write(mapping.bytes),
  protect: ({ mapping, writes }) => mapping.protect(one(['none', 'read', writes])),
  repair,
  copyOut(entry) {
    const { mapping } = entry;
    let copy;
    try {
      copy = mapping.copyOut(0, mapping.length);
    } catch (error) {
      assert.ok(error instanceof FaultError, error.stack);
      return;
    }
    // Of a file that shrank and grew meanwhile it may have got wiped pages, as read(2) does.
    if (copy.includes(0) && !entry.file) assertCounted(faulted(entry), 'zeros were copied that nobody has counted');
  },
  copyIn({ mapping }) {
    try {
      mapping.copyIn(0, Buffer.alloc(Math.min(mapping.length, PAGE), nonzero()));
    } catch (error) {
      assert.ok(error instanceof FaultError, error.stack);
    }
  },
  lend(entry) {
    if (lend(entry.mapping, false)) entry.lent = true;
  },
  close(entry) {
    const { mapping } = entry;
    if (faulted(entry)) seen += 1;
    const { bytes } = mapping;
    const shared = mapping.buffer instanceof SharedArrayBuffer && bytes.length > 0;
    close(mapping);
    if (shared) {
      const byte = bytes[next(bytes.length)];
      // The borrower may have written to what is left.
      if (!entry.lent) assert.equal(byte, 0, 'a byte of a closed mapping');
      if (next(2) === 0) write(bytes);
      assertCounted(mapping.faults.afterClose > 0, 'an access after close that nobody has counted');
      seen += 1;
    } else {
      assert.equal(bytes.length, 0);
    }
    for (const [kind, count] of Object.entries(mapping.faults)) counted[kind] += count;
    held.splice(held.indexOf(entry), 1);
  },
};
/** Often what is quick and of little consequence. */
const CHANCES = ['read', 'read', 'read', 'read', 'write', 'write', 'protect', 'repair', 'repair', 'copyOut', 'copyIn', 'lend', 'close'];

/** What is lent may be truncated, protected, closed by its owner at any moment. */
function borrow() {
  if (lender === undefined) return;
  for (let got; (got = receiveMessageOnPort(lender)) !== undefined; ) borrowed.push(got.message);
  if (borrowed.length > MOST) borrowed.splice(0, borrowed.length - MOST);
  if (borrowed.length === 0) return;
  const { bytes, readOnly } = one(borrowed);
  if (bytes.length === 0) return;
  findZero(bytes);
  if (!readOnly) write(bytes);
}

const context = {
  next, one, files, steady, folder, name, count: figure, lend, expose, close,
  /** Closed, or left to the collector. */
  gone: (mapping) => next(4) > 0 && close(mapping),
};
const more = [freshActs, placingActs, protectingActs, postingActs].map((make) => make(context));
const MORE = more.flatMap((part) => Object.entries(part).filter(([title]) => title !== 'end' && !without.includes(title)).map(([, act]) => act));

/** What calls may say while descriptors or mappings run out. */
const WANT = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'ERR_MEMMAP_GUARD']);
const isWant = (error) => WANT.has(error.code) || (error instanceof RangeError && /allocation failed/.test(error.message));

/** Acts; and may be refused in a period of want. */
function attempt(act) {
  const [before, wanted] = [control.periods, control.want];
  try {
    act();
  } catch (error) {
    // A period may have begun before the act, or while it ran, and be over by now.
    if (!isWant(error) || !(wanted || control.want || control.periods !== before)) throw error;
    figure('refused');
  }
}

function actOnHeld() {
  if (held.length < 2 || (held.length < MOST && next(8) === 0)) held.push(map());
  acts[one(CHANCES)](one(held));
}

if (index === undefined) parentPort.postMessage('ready');
for (let step = 1; !control.stopped; step++) {
  attempt(next(3) > 0 ? actOnHeld : one(MORE));
  if (next(4) === 0) borrow();
  if (step % COLLECT === 0) {
    collect();
    await setImmediate(); // Node frees external buffers in a turn of its own
  }
  if (index !== undefined) control.step(index);
}
while (held.length > 0) acts.close(held[0]);
for (const part of more) part.end?.();
borrower.close();
lender?.close();
reader?.close();
parentPort.postMessage({ seen, counted });
