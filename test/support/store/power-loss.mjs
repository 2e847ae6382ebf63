// Loss of power, simulated. While a store is used, each version of each page of its file is kept,
// and which one is durable since when. A crash leaves, of each page, any version from the durable
// one on, whatever other pages have; or sectors of two.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { StoreFile } from '../../../.unbundled/store/file/store-file.js';
import { HashIndex } from '../../../.unbundled/store/index/hash-index.js';
import { Header } from '../../../.unbundled/store/file/header.js';
import { Log } from '../../../.unbundled/store/log/log.js';
import { Records } from '../../../.unbundled/store/log/record.js';
import { MappedFile } from '../../../.unbundled/store/file/mapped-file.js';

const PAGE = 4096;
const SECTOR = 512;
const WINDOW = 2 ** 30;

/** After each call of these the file is looked at. */
const WATCHED = [
  [Log, ['write', 'publish', 'copy', 'writeGiant']],
  [HashIndex, ['add', 'move', 'remove']],
  [Header, ['enter', 'removeExtent', 'advance', 'clearCatalog', 'invalidate', 'open', 'close', 'setDirectory', 'make']],
  [StoreFile, ['allocate', 'punch', 'write']],
];

export class PowerLoss {
  /** Counts the looks at the file. */
  time = 0;
  /** By page: [{ time, bytes }], and [{ time, version }] of what was durable. */
  #versions = [];
  #durable = [];
  /** Of the file: [{ time, size, durable }]. */
  #sizes = [];
  #fd;
  #now = Buffer.alloc(0);
  #seen = Buffer.alloc(0);
  #bases = new WeakMap();
  #undo = [];
  #lies;

  /**
   * Watches the file from now on; what it has is durable.
   *
   * @param lies names of what says that something is durable that is not
   */
  constructor(path, { lies = [] } = {}) {
    this.#lies = new Set(lies);
    this.#fd = openSync(path, 'a+');
    this.look();
    this.#all(this.time, this.#newest());
    for (const [{ prototype }, names] of WATCHED) for (const name of names) this.#watch(prototype, name);
    this.#patch(MappedFile.prototype, 'pages', (pages) => (windows, window) => {
      const found = pages.call(windows, window);
      this.#bases.set(found, window * WINDOW);
      return found;
    });
    this.#patch(StoreFile.prototype, 'sync', (sync) => (disk, pages, offset, length) => {
      this.look();
      sync.call(disk, pages, offset, length);
      this.#range(pages, offset, length, this.#newest(), 'sync');
    });
    this.#patch(StoreFile.prototype, 'syncAsync', (sync) => async (disk, pages, offset, length) => {
      this.look();
      const newest = this.#newest();
      await sync.call(disk, pages, offset, length);
      this.#range(pages, offset, length, newest, 'syncAsync');
    });
    this.#patch(StoreFile.prototype, 'syncAll', (sync) => (disk) => {
      this.look();
      sync.call(disk);
      if (!this.#lies.has('syncAll')) this.#all(++this.time, this.#newest());
    });
  }

  /** Ends watching. */
  close() {
    for (const undo of this.#undo.toReversed()) undo();
    closeSync(this.#fd);
  }

  #patch(prototype, name, make) {
    const real = prototype[name];
    const other = make(real);
    prototype[name] = function patched(...args) {
      return other(this, ...args);
    };
    this.#undo.push(() => (prototype[name] = real));
  }

  #watch(prototype, name) {
    this.#patch(prototype, name, (real) => (self, ...args) => {
      const result = real.apply(self, args);
      this.look();
      return result;
    });
  }

  /** Notes what has changed in the file. */
  look() {
    this.time += 1;
    const { size } = fstatSync(this.#fd);
    if (this.#now.length < size) {
      this.#now = Buffer.alloc(2 * size);
      const seen = Buffer.alloc(2 * size);
      this.#seen.copy(seen);
      this.#seen = seen;
    }
    readSync(this.#fd, this.#now, 0, size, 0);
    if (this.#sizes.at(-1)?.size !== size) this.#sizes.push({ time: this.time, size });
    for (let block = 0; block < size; block += 16 * PAGE) {
      const end = Math.min(size, block + 16 * PAGE);
      const known = this.#versions.length * PAGE >= end;
      if (known && this.#now.compare(this.#seen, block, end, block, end) === 0) continue;
      for (let at = block; at < end; at += PAGE) this.#page(at);
    }
    this.#now.copy(this.#seen, 0, 0, size);
  }

  #page(at) {
    const page = at / PAGE;
    if (this.#versions[page] === undefined) {
      // What was not there: zeros.
      this.#versions[page] = [{ time: 0, bytes: Buffer.alloc(PAGE) }];
      this.#durable[page] = [{ time: 0, version: 0 }];
    }
    if (this.#now.compare(this.#seen, at, at + PAGE, at, at + PAGE) === 0) return;
    this.#versions[page].push({ time: this.time, bytes: Buffer.from(this.#now.subarray(at, at + PAGE)) });
  }

  #newest() {
    return { size: this.#sizes.at(-1).size, versions: this.#versions.map((versions) => versions.length - 1) };
  }

  #range(pages, offset, length, { size, versions }, name) {
    this.time += 1;
    if (this.#lies.has(name)) return;
    const from = this.#bases.get(pages) + offset;
    for (let page = Math.floor(from / PAGE); page * PAGE < from + length && page < versions.length; page++) this.#fix(page, this.time, versions[page]);
    this.#sizes.push({ time: this.time, size: this.#sizes.at(-1).size, durable: size });
  }

  #all(time, { size, versions }) {
    for (const [page, version] of versions.entries()) this.#fix(page, time, version);
    this.#sizes.push({ time, size, durable: size });
  }

  #fix(page, time, version) {
    const durable = this.#durable[page];
    if (durable.at(-1).version < version) durable.push({ time, version });
  }

  /**
   * What the disk may have after a loss of power at `time`.
   *
   * @param next random
   */
  crash(time, next) {
    const sizes = this.#sizes.filter((one) => one.time <= time);
    const least = sizes.findLast(({ durable }) => durable !== undefined)?.durable ?? 0;
    const most = sizes.at(-1).size;
    const size = next(4) === 0 ? least : Math.max(least, most);
    const image = Buffer.alloc(size);
    const choose = STRATEGIES[next(STRATEGIES.length)](next);
    for (let page = 0; page * PAGE < size; page++) {
      const versions = this.#versions[page];
      if (versions === undefined) continue;
      const floor = this.#durable[page].findLast((one) => one.time <= time).version;
      const ceiling = versions.findLastIndex((one) => one.time <= time);
      if (ceiling < 0) continue;
      versions[choose(floor, ceiling, page)].bytes.copy(image, page * PAGE);
      if (ceiling === floor || next(8) > 0) continue;
      // Torn: other sectors are of another version.
      const other = versions[floor + next(ceiling - floor + 1)].bytes;
      for (let at = 0; at < PAGE; at += SECTOR) if (next(2) === 0) other.copy(image, page * PAGE + at, at, at + SECTOR);
    }
    return image;
  }
}

const any = (next, floor, ceiling) => floor + next(ceiling - floor + 1);
/** Which version of a page it is. */
const STRATEGIES = [
  (next) => (floor, ceiling) => any(next, floor, ceiling),
  (next) => (floor, ceiling) => (next(2) === 0 ? floor : ceiling),
  (next) => (floor, ceiling) => (next(8) === 0 ? any(next, floor, ceiling) : ceiling),
  (next) => (floor, ceiling) => (next(8) === 0 ? any(next, floor, ceiling) : floor),
  () => (floor) => floor,
  (next) => {
    const border = next(600);
    return (floor, ceiling, page) => (page < border ? ceiling : floor);
  },
  (next) => {
    const border = next(600);
    return (floor, ceiling, page) => (page >= border ? ceiling : floor);
  },
];

/** Runs `act` while records count as whole whose sums do not say so. */
export async function withoutSums(act) {
  const { value: verify } = Object.getOwnPropertyDescriptor(Records.prototype, 'verify');
  const { value: reach } = Object.getOwnPropertyDescriptor(MappedFile.prototype, 'reach');
  let words;
  MappedFile.prototype.reach = function reached(window) {
    ({ words } = this);
    return reach.call(this, window);
  };
  Records.prototype.verify = function believing(window, at, salt, most) {
    return verify.call(this, window, at, salt, most) || lengthOf(words[window], at, most);
  };
  try {
    return await act();
  } finally {
    Records.prototype.verify = verify;
    MappedFile.prototype.reach = reach;
  }
}

function lengthOf(words, at, most) {
  const kind = (words[at + 1] >>> 20) & 0xf;
  if (kind !== 1 && kind !== 2) return 0;
  const padded = (bytes) => Math.ceil(bytes / 8) * 8;
  const length = 16 + padded(words[at + 1] & 0x1ffff) + (kind === 1 ? padded(words[at + 2] >>> 0) : 0);
  return length > most ? 0 : length;
}
