// Every function, method, getter and constructor of the package, found by looking at its four
// modules. The tables of test/support/boundary/surface.mjs say what arguments are right and which wrong;
// what is not in them gets anything.
import { readdirSync } from 'node:fs';
import { inspect } from 'node:util';
import * as memmap from 'memmap';
import * as shm from 'memmap/shm';
import * as store from 'memmap/store';
import * as sys from 'memmap/sys';
import { SURFACE } from '../support/boundary/surface.mjs';
import { ANYTHING, isOfClass } from './kinds.mjs';
import { LENGTH } from './scene.mjs';

const MODULES = { memmap, shm, store, sys };
/** What a method of the class is called on: a thing of the scene (scene.mjs). */
const THING_OF = {
  AnonymousMapping: 'private', FileMapping: 'file', Reservation: 'space', SharedMemory: 'shared', SharedMapping: 'sharedMapping',
  Mutex: 'mutex', RwLock: 'rwLock', Semaphore: 'semaphore', Event: 'event', Barrier: 'barrier', Channel: 'channel', Producer: 'producer',
  Consumer: 'consumer', ChannelServer: 'server', Connection: 'connection', DuplexChannel: 'duplex', Listener: 'listener', Store: 'store',
};
const TABLE = new Map(SURFACE.map(({ name, right, wrong }) => [name, { right, wrong }]));
const WRONG = SURFACE.flatMap(({ wrong }) => wrong.flat().map(([value]) => value));
// The zoo's large buffers are in memory from the beginning, not from the first call that looks at one.
for (const value of WRONG) if (value instanceof Uint8Array && value.length > 0) value.fill(0);
const NUMBERS = [0, -0, 1, 4095, 4096, 4097, 8192, LENGTH, 2 ** 20, 2 ** 47, 2 ** 53 - 1];

/** Right values of options, among others: with them calls get further than one at a time. */
const OPTIONS = {
  access: ['read', 'read-write', 'copy-on-write', 'none', 'read-execute'], buffer: ['array', 'shared'], sharing: ['private', 'shared'],
  offset: [0, 1, 4096, 4097, 8192], length: [0, 1, 4096, 8192, LENGTH], size: [0, 1, 4096, LENGTH, 2 * LENGTH], populate: [true], noReserve: [true],
  lock: [true, 'on-fault'], advice: ['normal', 'random', 'sequential', 'willneed'], create: [true], sync: [true], droppable: [true],
  growsDown: [true], placement: ['hint', 'fixed', 'fixed-noreplace'], address: [0n, 4096n, 2n ** 46n], hugePages: ['2MB', 'transparent'],
  rate: [1, 2 ** 20], mode: ['default', 'bind', 'local', 'preferred', 0o600], nodes: [[0]], move: [true], capacity: [1, 5000],
  kind: ['queue', 'broadcast'], slow: ['drop', 'wait'], spin: [0, 1], limit: [1, 100], overlap: [0, 1], name: [`memmap-fuzz-${process.pid}`], secret: [true],
  require: [['shrink'], []], onFault: [true], allowWriteExec: [true], most: [1], durability: ['none', 'commit'], readOnly: [true], salvage: [true],
  waste: [0, 0.5], at: [4096n, 0], usage: [true], pid: [process.pid], objectMode: [true], highWaterMark: [1], shared: [true],
};
const TIMEOUTS = [0, 0, 1];

const isPlain = (value) => typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
/** Names of the options at a place, by those that its wrong values set. */
function optionsAt(wrong) {
  const names = new Set(wrong.flatMap(([value]) => (isPlain(value) ? Object.keys(value) : [])));
  names.delete('nonsense');
  return [...names].filter((name) => !/^[A-Z]+$/.test(name));
}

function randomOptions(scene, names, right) {
  const options = { ...(isPlain(right) ? right : {}) };
  for (const name of names) {
    if (scene.next(3) === 0) options[name] = scene.one(OPTIONS[name] ?? NUMBERS);
  }
  return options;
}

/** A call that may wait is given little time to, where what it gets would pass for options. */
function hurry(scene, value) {
  if (value !== undefined && (typeof value !== 'object' || value === null || Array.isArray(value))) return value;
  const own = isPlain(value) ? Object.getOwnPropertyDescriptors(value) : {};
  const timeout = own.timeout?.value;
  const endless = timeout === undefined || (typeof timeout === 'number' && timeout > 2);
  if (!endless || own.timeout?.get !== undefined) return value;
  return Object.defineProperties({}, { ...own, timeout: { value: scene.one(TIMEOUTS), enumerable: true } });
}

function argumentsOf({ right, wrong }) {
  const named = wrong.map(optionsAt);
  const everywhere = wrong.map((values) => values.map(([value]) => value));
  return (scene) => {
    const args = right(scene).map((value, place) => {
      const kind = scene.next(8);
      if (kind < 3) return value;
      if (kind < 5 && named[place]?.length > 0) return randomOptions(scene, named[place], value);
      if (kind === 5 && everywhere[place]?.length > 0) return scene.one(everywhere[place]);
      if (kind === 6) return scene.one([WRONG, ANYTHING, NUMBERS][scene.next(3)]);
      if (kind === 7 && typeof value === 'number') return scene.next(2) === 0 ? 1 << scene.next(31) : scene.one(NUMBERS);
      return value;
    });
    return args.map((value, place) => (named[place]?.includes('timeout') ? hurry(scene, value) : value));
  };
}

/** For what is in no table: methods without arguments, mostly, and what is @internal. */
const anything = (scene) => Array.from({ length: scene.next(4) }, () => scene.one(scene.next(2) === 0 ? ANYTHING : WRONG));

/** Called rarely: they take long, or ask the whole system. */
const SLOW = /^(memmap\.(features|numaNodes|hugePagePools|maps|touch|dump|dumpAll|residencyOfAll|restore|restoreAll)|sys\.(mlockall|migrate_pages|move_pages)|shm\.(listen|connect)|Channel\.(serve|connect)|SharedMemory\.list|Store\.open)$|Mapping#(migrate|collapse|persist)$/;
/** Those take what takes turns of the event loop from the scene. */
const NEEDS = { 'shm.sendFds': ['connection'], 'shm.receiveFds': ['connection'], 'shm.connect': ['connection'], 'Channel.connect': ['connection'] };

/** Where those have their timeout that wait for as long as they are told. */
const TIMEOUT_AT = { 'sys.futex_wait': 2, 'sys.futex_waitv': 1 };

const isLong = (value) => typeof value === 'number' && value > 2 ** 24 && value < 2 ** 47;
/** Names that a file of shared memory can have. */
const isName = (value) => typeof value === 'string' && /^[^/\0]{1,255}$/.test(value) && !/^\.{1,2}$/.test(value);
const FDS = /^sys\.(ftruncate|fallocate|posix_fadvise|cachestat|fcntl)|\.fromFd$|^memmap\.(mapFile|residencyOf|dump)$/;

/** What the engine has open. */
const ENGINES_FDS = new Set(readdirSync('/proc/self/fd').map(Number));

/** What the machine or this process would suffer from, in ways that no library can prevent. */
function isTooMuch(name, args) {
  if (name.endsWith('madvise') && args.some((value) => typeof value === 'number' && ((value | 0) === 100 || (value | 0) === 101))) return true;
  // V8 ends the process when it discards pages that are locked.
  if (name === 'sys.mlockall') return Number.isInteger(args[0]) && args[0] > 0 && args[0] < 8 && args[0] !== 4;
  if (/process_madvise/.test(name) && Array.isArray(args[1])) return args[1].some((range) => typeof range?.address === 'bigint' && !(typeof range.length === 'number' && range.length <= 4096));
  if (/migrate_pages|move_pages/.test(name)) return typeof args[0] === 'number' && args[0] > 0 && args[0] < 2 ** 22;
  // It blocks the thread, as it is asked to.
  if (name in TIMEOUT_AT) {
    const ms = args[TIMEOUT_AT[name]];
    if (ms === undefined || (typeof ms === 'number' && !(ms <= 2))) return true;
  }
  // Node makes a key of each byte.
  if (name.includes('inspect.custom')) return args.some((value) => ArrayBuffer.isView(value) && value.length > 2 ** 16);
  // Sealed memory can neither be fixed up nor unmapped, as documented.
  if (name === 'sys.mseal') return !args[2];
  if (name.endsWith('Mapping#seal')) return true;
  // Files of shared memory are of all processes.
  if (/shm_|SharedMemory\.(open|create|unlink)$/.test(name)) {
    if ([args[0], isPlain(args[0]) ? Object.getOwnPropertyDescriptor(args[0], 'name')?.value : undefined].some((one) => isName(one) && !one.startsWith('memmap-'))) return true;
  }
  // The rings of libuv are memory that can be mapped, and written.
  if (name === 'sys.mmap' && ENGINES_FDS.has(args[4])) return true;
  if (FDS.test(name) && typeof args[0] === 'number' && args[0] > 0 && args[0] < 3) return true;
  const lengths = args.flatMap((value) => (isPlain(value) ? Object.entries(Object.getOwnPropertyDescriptors(value)).map(([, { value: inner }]) => inner) : [value]));
  return lengths.some(isLong);
}

/** @internal ones take what they get: an exception of any kind will do. */
const mayThrow = (listed) => (error) =>
  !(error instanceof Error) || !listed || typeof error.code === 'string' || error.name === 'AbortError' || error.code === 20 ||
  isOfClass(error);

const GIVE_FDS = new Set(['sys.memfd_create', 'sys.pidfd_open', 'sys.shm_open', 'sys.memfd_secret', 'SharedMemory#readOnlyFd']);

function target(name, thing, entry, invoke) {
  const prepare = [...(thing === undefined ? [] : [thing]), ...(NEEDS[name] ?? [])];
  const listed = entry !== undefined;
  const make = listed ? argumentsOf(entry) : anything;
  return {
    name,
    slow: SLOW.test(name),
    prepare,
    args(scene) {
      const args = make(scene);
      return isTooMuch(name, args) ? undefined : args;
    },
    call(scene, args) {
      const result = invoke(scene, args);
      if (GIVE_FDS.has(name) && typeof result === 'number') scene.raw(result);
      return result;
    },
    listed,
    mayThrow: mayThrow(listed),
  };
}

const isClass = (value) => typeof value === 'function' && Function.prototype.toString.call(value).startsWith('class');

function* membersOf(name, type) {
  const thing = THING_OF[name];
  yield target(`new ${name}`, undefined, TABLE.get(`shm.new ${name}`), (_, args) => new type(...args));
  for (const [key, { value }] of Object.entries(Object.getOwnPropertyDescriptors(type))) {
    if (typeof value !== 'function') continue;
    yield target(`${name}.${key}`, undefined, TABLE.get(`${name}..${key}`), (_, args) => type[key](...args));
  }
  if (thing === undefined) return;
  const seen = new Set(['constructor']);
  for (let proto = type.prototype; proto !== Object.prototype && proto !== null; proto = Object.getPrototypeOf(proto)) {
    for (const key of Reflect.ownKeys(proto)) {
      if (seen.has(key)) continue;
      seen.add(key);
      const { value } = Object.getOwnPropertyDescriptor(proto, key);
      const title = `${name}#${String(key)}`;
      if (typeof value === 'function') {
        const entry = TABLE.get(`${name}.${String(key)}`);
        yield target(title, thing, entry, (scene, args) => scene[thing][key](...args));
      } else yield target(title, thing, { right: () => [], wrong: [] }, (scene) => scene[thing][key]);
    }
  }
}

function* all() {
  for (const [module, exported] of Object.entries(MODULES)) {
    for (const [key, value] of Object.entries(exported)) {
      if (isClass(value)) yield* membersOf(key, value);
      else if (typeof value === 'function') {
        const name = `${module}.${key}`;
        yield target(name, undefined, TABLE.get(name), (_, args) => value(...args));
      }
    }
  }
}

export function facadeTargets() {
  return [...new Map([...all()].map((one) => [one.name, one])).values()];
}

/** For traces and messages; reads no memory that is mapped, and never throws. */
export function show(value) {
  const bytes = ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;
  if (!bytes) return inspect(value, { depth: 1, breakLength: Infinity, compact: true, maxStringLength: 40, maxArrayLength: 8 });
  const type = value.constructor?.name ?? Object.prototype.toString.call(value);
  if (value instanceof DataView) return type;
  const { byteLength } = value;
  const values = ArrayBuffer.isView(value) && byteLength > 0 && value.buffer.byteLength < 4096 ? `: ${Array.from(value.subarray(0, 8)).join(' ')}` : '';
  return `${type}(${byteLength} bytes${values})`;
}
