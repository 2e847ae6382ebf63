// One process of npm run fuzz: batch.mjs SETTINGS. Makes calls scene by scene, and looks now and
// then whether anything is left of them. Prints what it did as JSON; writes every call into
// `record` before it is made, for whoever finds this process dead.
import assert from 'node:assert/strict';
import { mkdirSync, openSync, writeSync } from 'node:fs';
import { mapAnonymous } from 'memmap';
import { Event, Mutex } from 'memmap/shm';
import { seeded } from '../support/random.mjs';
import { native } from './addon.mjs';
import { facadeTargets, show } from './facade.mjs';
import { isOfClass } from './kinds.mjs';
import { nativeTargets } from './native.mjs';
import { plantedTargets } from './planted.mjs';
import { Scene } from './scene.mjs';
import { descriptors, leaks, look, resident } from './traces.mjs';

const { seed, calls, folder, record, scene: only, each, anyType, match, except, plant } = JSON.parse(process.argv[2]);
/** Calls of a scene, at most. */
const MOST = 32;
/** How often scenes are about the functions of a group: a class, a module; others 1. */
const WEIGHTS = { native: 12, sys: 4, memmap: 2, AnonymousMapping: 4, FileMapping: 6, SharedMapping: 4, Reservation: 2 };
/** Those make sockets and files, look through /proc/self/fd, take turns of the event loop: one choice in so many. */
const RARE = 12;
const DEAR = /^(Store|DuplexChannel|ChannelServer|Connection|Listener|shm|Mutex|RwLock|Semaphore|Event|Barrier|Channel|Producer|Consumer)$/;
/** Looks at what is left in the life of a process; during the first of them its heaps still grow. */
const LOOKS = 10;
const WARM_UP = 5;
const TITLE = 96;
/** Bytes. */
const MUCH = 2 ** 23;
/** Milliseconds in which a promise has to settle when all that it waits for has gone. */
const PATIENCE = 5000;

// A file cannot grow beyond `ulimit -f`: the calls get EFBIG.
process.on('SIGXFSZ', () => {});
// A listener may be a class, which throws whenever it is called.
process.on('uncaughtException', (error) => isOfClass(error) || fail(`uncaught: ${error?.stack ?? show(error)}`));
process.on('warning', () => {});

mkdirSync(folder, { recursive: true });
process.chdir(folder);
// What happens once in a thread has happened: the guard is on, and the addon has its callbacks.
const first = mapAnonymous({ length: 4096, sharing: 'shared' });
first.on('fault', () => {});
await new Event(first, 0).waitAsync({ timeout: 100 }).catch(() => {});
new Mutex(first, 64).lock();

const targets = [...nativeTargets(anyType), ...facadeTargets(), ...plantedTargets(plant)]
  .filter(({ name }) => (match === undefined || new RegExp(match).test(name)) && (except === undefined || !new RegExp(except).test(name)));
assert.ok(targets.length > 0, 'no function is called so');
const groups = new Map();
for (const one of targets) {
  const name = /^(?:new )?(\w+)/.exec(one.name)[1];
  if (!groups.has(name)) groups.set(name, { name, quick: [], slow: [] });
  groups.get(name)[one.slow ? 'slow' : 'quick'].push(one);
}
const [common, dear] = [false, true].map((value) =>
  [...groups.values()].filter(({ name }) => DEAR.test(name) === value).flatMap((group) => Array(WEIGHTS[group.name] ?? 1).fill(group)));

/** One of a class, or a module; its slow ones one time in 64. */
function choose(scene, { quick, slow }) {
  return scene.one(quick.length === 0 || (slow.length > 0 && scene.next(64) === 0) ? slow : quick);
}

function chooseGroup(scene) {
  return scene.one(common.length === 0 || (dear.length > 0 && scene.next(RARE) === 0) ? dear : common);
}
const counts = new Map(targets.map(({ name }) => [name, { returned: 0, refused: 0 }]));

let number = 0;
let made = 0;
const recordFd = openSync(record, 'w');
const line = Buffer.alloc(TITLE, ' ');
/** Where we are: scene, calls made, name. */
function note(name) {
  line.fill(' ');
  line.write(`${number} ${made} ${name}`);
  writeSync(recordFd, line, 0, TITLE, 0);
}

function fail(message) {
  writeSync(2, `${message}\n`);
  process.exit(1);
}

const called = (target, args) => `${target.name}(${args.map(show).join(', ')})`;

/** Everything that is left reachable, read and written to: no access may end the process. */
function touch(scene, buffers) {
  for (const buffer of buffers) {
    const length = Math.min(buffer.byteLength, 2 ** 16);
    if (length === 0) continue;
    const bytes = new Uint8Array(buffer, 0, length);
    const writes = scene.next(4) === 0;
    for (let at = 0; at < length; at += 4096) {
      void bytes[at];
      if (writes) bytes[at] = 1;
    }
    void bytes[length - 1];
  }
}

/** What a call gave back is used a little, and closed with the scene. */
function use(scene, name, result, buffers) {
  if (result instanceof ArrayBuffer || result instanceof SharedArrayBuffer) {
    buffers.push(result);
    if (name.startsWith('sys.')) scene.closes(result);
  } else if (typeof result === 'object' && result !== null) {
    if (typeof result.next === 'function' && typeof result.then !== 'function' && !(Symbol.asyncIterator in result)) {
      for (let i = 0; i < 3 && !result.next().done; i++);
    }
    scene.closes(result);
  }
}

async function callOne(scene, target, promises, buffers) {
  for (const thing of target.prepare) await scene.prepare(thing);
  note(target.name);
  let args;
  try {
    args = target.args(scene);
  } catch (error) {
    // What it needs is closed, or was taken from it: that was a call, too.
    if (typeof error.code !== 'string') throw error;
  }
  if (args === undefined) return;
  made += 1;
  if (only !== undefined) writeSync(2, `  ${called(target, args)}\n`);
  const count = counts.get(target.name);
  const refuse = (error) => {
    count.refused += 1;
    if (!target.mayThrow(error)) fail(`${called(target, args)} threw without a code: ${error.stack}`);
  };
  const arrive = async (promise) => {
    try {
      const value = await promise;
      count.returned += 1;
      use(scene, target.name, value, buffers);
    } catch (error) {
      refuse(error);
    }
  };
  try {
    const result = target.call(scene, args);
    if (typeof result?.then === 'function') {
      promises.push([target, arrive(result)]);
    } else {
      count.returned += 1;
      use(scene, target.name, result, buffers);
    }
  } catch (error) {
    refuse(error);
  }
}

async function settled(promises) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, PATIENCE, 'late');
  });
  // What is @internal may need a caller who keeps to its rules.
  for (const [{ name, listed }, promise] of promises) {
    if (listed && await Promise.race([promise, late]) === 'late') fail(`${name}() does not settle: seed ${seed}, scene ${number}`);
  }
  clearTimeout(timer);
}

async function play() {
  // Far from those of its neighbours, of this batch and the next.
  const scene = new Scene(seeded(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)), folder, number);
  const promises = [];
  const buffers = [];
  const length = 1 + scene.next(MOST);
  // Mostly about two things, so that calls meet what others did to them.
  const about = [chooseGroup(scene), chooseGroup(scene)];
  for (let i = 0; i < length; i++) {
    const group = scene.next(16) === 0 ? chooseGroup(scene) : scene.one(about);
    await callOne(scene, choose(scene, group), promises, buffers);
    if (scene.next(8) === 0) touch(scene, [...scene.buffers(), ...buffers]);
  }
  note('touch');
  const early = scene.next(2) === 0;
  if (promises.length > 0 && early) await Promise.race([Promise.all(promises.map(([, promise]) => promise)), new Promise((resolve) => setTimeout(resolve, 3))]);
  const all = [...scene.buffers(), ...buffers];
  touch(scene, all);
  note('close');
  scene.close();
  touch(scene, all);
  if (promises.length > 0) {
    note('settle');
    await settled(promises);
    scene.close();
  }
}

if (only !== undefined) {
  number = only;
  await play();
} else {
  const looks = [];
  let before = descriptors();
  let memory = resident();
  for (; made < calls; number++) {
    await play();
    if (each && Math.abs(resident() - memory) > MUCH) {
      writeSync(2, `scene ${number} leaves ${resident() - memory} bytes\n`);
      memory = resident();
    }
    if (each && descriptors() > before) {
      // What the collector takes is no leak.
      const after = (await look()).descriptors;
      if (after > before) writeSync(2, `scene ${number} leaves ${after - before} descriptors\n`);
      before = after;
    }
    if (number % 64 === 0) await new Promise(setImmediate);
    if (made >= ((looks.length + 1) * calls) / LOOKS) {
      note('look');
      looks.push(await look());
    }
  }
  const found = leaks(looks.slice(WARM_UP));
  if (found !== undefined) fail(`${found}\n${JSON.stringify(looks)}`);
}
first.close();
native.shmUnlink(`/memmap-fuzz-${process.pid}`);
console.log(JSON.stringify({ calls: made, counts: [...counts].map(([name, { returned, refused }]) => [name, returned, refused]) }));
process.exit(0);
