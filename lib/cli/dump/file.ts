// The file of `memmap dump`: lines of JSON. The first is a header, each further one is the CacheDump of a
// file, and the last has the number of files: without it the dump is incomplete.
import { closeSync, fsyncSync, openSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import type { CacheDump } from '../../index.js';
import { pathNamed, textOf } from '../common/names.js';

const FORMAT = 'memmap-dump';
const VERSION = 1;

/** Characters that are buffered before they are written. */
const CHUNK = 2 ** 16;

const LINE_FEED = 10;

/** The input is not a dump, or is incomplete or damaged. */
export class DumpFormatError extends Error {
  override readonly name = 'DumpFormatError';

  constructor(source: string, what: string) {
    super(`${source}: ${what}. Nothing was restored`);
  }
}

/** Writes the lines to `out`, or to a file that gets its name only when it is complete. */
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
      const other = statSync(pathNamed(path), { throwIfNoEntry: false });
      // Replaces the file behind a symbolic link, not the link.
      this.#path = other === undefined ? path : textOf(realpathSync(pathNamed(path), 'buffer'));
      // A file that is not regular, such as a pipe, cannot be replaced: it is written to directly.
      this.#temporary = other === undefined || other.isFile() ? `${this.#path}.${process.pid}.part` : undefined;
      const fd = openSync(pathNamed(this.#temporary ?? this.#path), 'w');
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

  /** Completes the dump. */
  end(): void {
    this.#line({ files: this.#files });
    this.#flush();
    if (this.#fd === undefined || this.#path === undefined) return;
    if (this.#temporary !== undefined) fsyncSync(this.#fd);
    closeSync(this.#fd);
    if (this.#temporary !== undefined) renameSync(pathNamed(this.#temporary), pathNamed(this.#path));
  }

  /** Removes the unfinished dump; an earlier file stays. */
  abandon(): void {
    if (this.#temporary !== undefined) rmSync(pathNamed(this.#temporary), { force: true });
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

/** Whether these are, in base64, the bytes of a path that is shown as `path`. */
function areBytesOf(pathBytes: unknown, path: string): boolean {
  return typeof pathBytes === 'string' && Buffer.from(pathBytes, 'base64').toString() === path;
}

function isDump(value: unknown): value is CacheDump {
  if (!isRecord(value)) return false;
  const { path, pathBytes, size, modified, runs } = value;
  if (typeof path !== 'string' || !path.startsWith('/') || path.includes('\0')) return false;
  if (pathBytes !== undefined && !areBytesOf(pathBytes, path)) return false;
  if (!isBytes(size) || typeof modified !== 'number' || !Array.isArray(runs)) return false;
  let end = 0;
  for (const run of runs as unknown[]) {
    if (!isRecord(run) || !isBytes(run['offset']) || !isBytes(run['length']) || run['length'] === 0) return false;
    if (run['offset'] < end || run['length'] > size - run['offset']) return false;
    end = run['offset'] + run['length'];
  }
  return true;
}

/** Reads and checks a whole dump. @throws {DumpFormatError} */
export function readDump(path: string | undefined): readonly CacheDump[] {
  const source = path ?? 'standard input';
  const dumps: CacheDump[] = [];
  let number = 0;
  let count: number | undefined;
  for (const line of linesOf(readFileSync(path === undefined ? 0 : pathNamed(path)))) {
    number += 1;
    const value = parse(line);
    if (number === 1) {
      checkHeader(source, value);
    } else if (count !== undefined) {
      throw new DumpFormatError(source, `line ${number} comes after the end of the dump`);
    } else if (isRecord(value) && isBytes(value['files'])) {
      count = value['files'];
    } else if (isDump(value)) {
      dumps.push({ path: value.path, ...(value.pathBytes !== undefined && { pathBytes: value.pathBytes }), size: value.size, modified: value.modified, runs: value.runs.map(({ offset, length }) => ({ offset, length })) });
    } else {
      throw new DumpFormatError(source, `line ${number} is damaged`);
    }
  }
  if (number === 0) throw new DumpFormatError(source, 'the dump is empty');
  if (count === undefined) throw new DumpFormatError(source, `the end is missing, after line ${number}`);
  if (count !== dumps.length) throw new DumpFormatError(source, `it has ${dumps.length} files, but its last line says ${count}`);
  return dumps;
}

/** Undefined if the line is not JSON. */
function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function checkHeader(source: string, value: unknown): void {
  if (!isRecord(value) || value['format'] !== FORMAT) throw new DumpFormatError(source, 'it is not a dump of memmap');
  if (value['version'] !== VERSION) throw new DumpFormatError(source, `it has version ${JSON.stringify(value['version'])}, but this version of memmap supports ${VERSION}`);
}
