// The file of `memmap dump`: lines of JSON. The first says what it is, each further one is the
// CacheDump of a file, and the last says how many there were: without it the rest is missing.
import { closeSync, fsyncSync, openSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import type { CacheDump } from '../../index.js';

const FORMAT = 'memmap-dump';
const VERSION = 1;

/** Characters gathered before they are written. */
const CHUNK = 2 ** 16;

const LINE_FEED = 10;

/** What is given is not a dump, or not all of one. */
export class DumpFormatError extends Error {
  override readonly name = 'DumpFormatError';

  constructor(source: string, what: string) {
    super(`${source}: ${what}. Nothing has been restored`);
  }
}

/** Where the lines go: to `out`, or to a file that has its name when it is whole, and not before. */
export class DumpWriter {
  readonly #path: string | undefined;
  readonly #temporary: string | undefined;
  readonly #fd: number | undefined;
  readonly #write: (text: string) => void;
  #gathered = '';
  #files = 0;

  constructor(path: string | undefined, out: (text: string) => void) {
    if (path === undefined) {
      this.#write = out;
    } else {
      const other = statSync(path, { throwIfNoEntry: false });
      // A link to it stays.
      this.#path = other === undefined ? path : realpathSync(path);
      // What is not a regular file, a pipe for instance, cannot be replaced: it is written to.
      this.#temporary = other === undefined || other.isFile() ? `${this.#path}.${process.pid}.part` : undefined;
      const fd = openSync(this.#temporary ?? this.#path, 'w');
      this.#fd = fd;
      this.#write = (text) => {
        for (let rest = Buffer.from(text); rest.length > 0; ) rest = rest.subarray(writeSync(fd, rest));
      };
    }
    this.#line({ format: FORMAT, version: VERSION, created: new Date().toISOString() });
  }

  #line(value: object): void {
    this.#gathered += `${JSON.stringify(value)}\n`;
    if (this.#gathered.length >= CHUNK) this.#flush();
  }

  #flush(): void {
    this.#write(this.#gathered);
    this.#gathered = '';
  }

  add(cached: CacheDump): void {
    this.#files += 1;
    this.#line(cached);
  }

  /** It is whole. */
  end(): void {
    this.#line({ files: this.#files });
    this.#flush();
    if (this.#fd === undefined || this.#path === undefined) return;
    if (this.#temporary !== undefined) fsyncSync(this.#fd);
    closeSync(this.#fd);
    if (this.#temporary !== undefined) renameSync(this.#temporary, this.#path);
  }

  /** It will not be whole: a file that was there before stays. */
  abandon(): void {
    if (this.#temporary !== undefined) rmSync(this.#temporary, { force: true });
  }
}

function* linesOf(bytes: Buffer): Generator<string, void, undefined> {
  for (let from = 0; from < bytes.length; ) {
    const found = bytes.indexOf(LINE_FEED, from);
    const to = found === -1 ? bytes.length : found;
    yield bytes.toString('utf8', from, to);
    from = to + 1;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isBytes(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isDump(value: unknown): value is CacheDump {
  if (!isRecord(value)) return false;
  const { path, size, modified, runs } = value;
  if (typeof path !== 'string' || !path.startsWith('/') || path.includes('\0')) return false;
  if (!isBytes(size) || typeof modified !== 'number' || !Array.isArray(runs)) return false;
  let end = 0;
  for (const run of runs as unknown[]) {
    if (!isRecord(run) || !isBytes(run['offset']) || !isBytes(run['length']) || run['length'] === 0) return false;
    if (run['offset'] < end || run['length'] > size - run['offset']) return false;
    end = run['offset'] + run['length'];
  }
  return true;
}

/** Reads and checks all of it. @throws {DumpFormatError} */
export function readDump(path: string | undefined): readonly CacheDump[] {
  const source = path ?? 'standard input';
  const dumps: CacheDump[] = [];
  let number = 0;
  let count: number | undefined;
  for (const line of linesOf(readFileSync(path ?? 0))) {
    number += 1;
    const value = parse(line);
    if (number === 1) {
      checkHeader(source, value);
    } else if (count !== undefined) {
      throw new DumpFormatError(source, `line ${number} comes after the end of the dump`);
    } else if (isRecord(value) && isBytes(value['files'])) {
      count = value['files'];
    } else if (isDump(value)) {
      dumps.push({ path: value.path, size: value.size, modified: value.modified, runs: value.runs.map(({ offset, length }) => ({ offset, length })) });
    } else {
      throw new DumpFormatError(source, `line ${number} is damaged`);
    }
  }
  if (number === 0) throw new DumpFormatError(source, 'is empty, and no dump');
  if (count === undefined) throw new DumpFormatError(source, `the end is missing, after line ${number}`);
  if (count !== dumps.length) throw new DumpFormatError(source, `has ${dumps.length} files and says ${count}`);
  return dumps;
}

/** Undefined: no JSON. */
function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function checkHeader(source: string, value: unknown): void {
  if (!isRecord(value) || value['format'] !== FORMAT) throw new DumpFormatError(source, 'is not a dump of memmap');
  if (value['version'] !== VERSION) throw new DumpFormatError(source, `is of version ${JSON.stringify(value['version'])}, and this memmap knows ${VERSION}`);
}
