// The files that a command works on: paths, the contents of directories, lists; and which to leave out.
import { type Stats, lstatSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { UsageError } from './exit.js';
import { pathNamed, textOf } from './names.js';
import { type ByteRange, parseRange, parseSize } from './units.js';

/** The options that choose files. */
export interface TargetOptions {
  readonly follow?: boolean;
  readonly oneFileSystem?: boolean;
  readonly hardLinks?: boolean;
  readonly ignore?: readonly string[];
  readonly only?: readonly string[];
  readonly maxSize?: number;
  readonly range?: ByteRange;
  readonly batch?: string;
  readonly null?: boolean;
}

/** A file to work on. */
export interface Target {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

/** A file whose size may not have been read. */
export interface UnseenTarget {
  readonly path: string;
  /** Bytes, if they are known. */
  readonly size: number | undefined;
}

function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

/** Adds the paths and the options that choose among them to a command. Option letters are those of vmtouch. */
export function withTargets(command: Command): Command {
  return command
    .argument('[path...]', 'files, and directories with everything below them')
    .option('-f, --follow', 'follow symbolic links that directories contain')
    .option('-F, --one-file-system', 'stay on the file system that a directory is on')
    .option('-H, --hard-links', 'count every hard link of a file (default: each file once)')
    .addOption(new Option('-i, --ignore <glob>', 'leave out files and directories whose name or path matches; repeatable').argParser(collect))
    .addOption(new Option('-I, --only <glob>', 'in directories, take only files whose name matches; repeatable').argParser(collect))
    .addOption(new Option('-m, --max-size <size>', 'leave out larger files').argParser(parseSize))
    .addOption(new Option('-p, --range <from-to>', 'only these bytes of each file: 1M-2M, 64K-, -1G').argParser(parseRange))
    .option('-b, --batch <file>', "read paths from this file, one per line; '-' is standard input")
    .option('-0, --null', 'paths of --batch end with NUL instead of a newline')
    .hook('preAction', async (_, called) => {
      const { ignore, only } = called.opts<TargetOptions>();
      if (ignore !== undefined || only !== undefined) picomatch = (await import('picomatch')).default;
    });
}

/** Loaded only if globs are given. */
let picomatch: typeof import('picomatch') | undefined;

type Matcher = (text: string) => boolean;

function matcher(globs: readonly string[] | undefined): Matcher | undefined {
  if (globs === undefined || globs.length === 0) return undefined;
  if (picomatch === undefined) throw new Error('only a command that has withTargets() knows globs');
  return picomatch([...globs], { dot: true });
}

function listed({ batch, null: separated = false }: TargetOptions): string[] {
  if (batch === undefined) {
    if (separated) throw new UsageError('--null requires --batch');
    return [];
  }
  const text = textOf(readFileSync(batch === '-' ? 0 : pathNamed(batch)));
  return text.split(separated ? '\0' : '\n').filter((line) => line !== '');
}

/** Reports a path that cannot be read. */
export type Complaint = (path: string, error: unknown) => void;

/** Finds each file once, in the order of the paths. Failures are reported, and the rest continues. */
export class Targets {
  readonly #options: TargetOptions;
  readonly #complain: Complaint;
  readonly #ignored: Matcher | undefined;
  readonly #wanted: Matcher | undefined;
  /** 'dev:ino' of files with several names, and of directories. */
  readonly #seen = new Set<string>();
  readonly #paths: readonly string[];
  readonly #deviceSize: ((path: string) => number) | undefined;

  /**
   * @param deviceSize - bytes of a block device, for a command that accepts them as paths
   * @throws {UsageError} if neither paths nor --batch are given
   */
  constructor(paths: readonly string[], options: TargetOptions, complain: Complaint, deviceSize?: (path: string) => number) {
    this.#deviceSize = deviceSize;
    this.#options = options;
    this.#complain = complain;
    this.#ignored = matcher(options.ignore);
    this.#wanted = matcher(options.only);
    this.#paths = [...paths, ...listed(options)];
    if (this.#paths.length === 0 && options.batch === undefined) throw new UsageError('no files given: name paths, or use --batch');
  }

  [Symbol.iterator](): Generator<Target, void, undefined> {
    return this.#walk(true) as Generator<Target, void, undefined>;
  }

  /**
   * As the iteration, but calls stat(2) for files in directories only if an option needs it. Otherwise their `size`
   * is undefined, and every name of a file is returned.
   */
  unseen(): Generator<UnseenTarget, void, undefined> {
    const { follow = false, oneFileSystem = false, maxSize, range } = this.#options;
    return this.#walk(follow || oneFileSystem || maxSize !== undefined || (range !== undefined && range.offset > 0));
  }

  /** The paths of unseen(), for the package. */
  *paths(): Generator<string | Buffer, void, undefined> {
    for (const { path } of this.unseen()) yield pathNamed(path);
  }

  /** @param look - whether the size of each file is needed */
  *#walk(look: boolean): Generator<UnseenTarget, void, undefined> {
    for (const path of this.#paths) {
      const found = this.#stat(path, true);
      if (found === undefined) continue;
      if (found.isBlockDevice() && this.#deviceSize !== undefined) yield* this.#device(path, this.#deviceSize);
      else if (found.isDirectory()) yield* this.#below(path, found, found.dev, look);
      else if (!found.isFile()) this.#complain(path, new Error('it is neither a file nor a directory'));
      else if (look) yield* this.#file(path, found);
      else yield { path, size: found.size };
    }
  }

  *#device(path: string, sizeOf: (path: string) => number): Generator<Target, void, undefined> {
    let size: number;
    try {
      size = sizeOf(path);
    } catch (error) {
      this.#complain(path, error);
      return;
    }
    if (size <= (this.#options.maxSize ?? Infinity)) yield { path, size };
  }

  #stat(path: string, follow: boolean): Stats | undefined {
    try {
      return follow ? statSync(pathNamed(path)) : lstatSync(pathNamed(path));
    } catch (error) {
      this.#complain(path, error);
      return undefined;
    }
  }

  /** Whether it was found before. */
  #again({ dev, ino }: Stats): boolean {
    const key = `${dev}:${ino}`;
    if (this.#seen.has(key)) return true;
    this.#seen.add(key);
    return false;
  }

  *#file(path: string, found: Stats): Generator<Target, void, undefined> {
    const { hardLinks = false, follow = false, maxSize = Infinity } = this.#options;
    if (found.size > maxSize) return;
    // If links are followed, a file can be found several times even with one name.
    if (!hardLinks && (found.nlink > 1 || follow) && this.#again(found)) return;
    yield { path, size: found.size };
  }

  *#below(directory: string, found: Stats, device: number, look: boolean): Generator<UnseenTarget, void, undefined> {
    const { follow = false, oneFileSystem = false } = this.#options;
    if (this.#again(found)) return;
    let entries;
    try {
      entries = entriesOf(directory);
    } catch (error) {
      this.#complain(directory, error);
      return;
    }
    // Calling join() for each name would take longer than everything else here.
    const prefix = join(directory, 'x').slice(0, -1);
    for (const entry of entries) {
      const path = prefix + entry.name;
      if (this.#ignored?.(entry.name) === true || this.#ignored?.(path) === true) continue;
      if (entry.isSymbolicLink() && !follow) continue;
      if (entry.isFile()) {
        if (this.#wanted?.(entry.name) === false) continue;
        if (!look) {
          yield { path, size: undefined };
          continue;
        }
      }
      if (!entry.isFile() && !entry.isDirectory() && !entry.isSymbolicLink()) continue;
      const one = entry.isSymbolicLink() ? statOfLink(path, this.#complain) : this.#stat(path, false);
      if (one === undefined) continue;
      if (one.isDirectory()) {
        if (!oneFileSystem || one.dev === device) yield* this.#below(path, one, device, look);
      } else if (one.isFile() && this.#wanted?.(entry.name) !== false && (!oneFileSystem || one.dev === device)) {
        yield* this.#file(path, one);
      }
    }
  }
}

/** Recognizes files that were found under another name, by their `identity`. */
export class HardLinks {
  readonly #everyName: boolean;
  readonly #seen = new Set<string>();

  /** @param everyName - whether each name of a file counts */
  constructor(everyName: boolean) {
    this.#everyName = everyName;
  }

  /** Whether the file was found before. `identity`: undefined if it has one name. */
  again(identity: string | undefined): boolean {
    if (identity === undefined || this.#everyName) return false;
    if (this.#seen.has(identity)) return true;
    this.#seen.add(identity);
    return false;
  }
}

interface Entry {
  readonly name: string;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

function entriesOf(directory: string): readonly Entry[] {
  const path = pathNamed(directory);
  const entries = readdirSync(path, { withFileTypes: true });
  if (entries.every(({ name }) => !name.includes('\uFFFD'))) return entries;
  // Slower: some names are not UTF-8.
  return readdirSync(path, { withFileTypes: true, encoding: 'buffer' }).map((entry) => ({
    name: textOf(entry.name),
    isFile: () => entry.isFile(),
    isDirectory: () => entry.isDirectory(),
    isSymbolicLink: () => entry.isSymbolicLink(),
  }));
}

/** Undefined also for a dangling link: in a directory it is not a failure. */
function statOfLink(path: string, complain: Complaint): Stats | undefined {
  try {
    return statSync(pathNamed(path), { throwIfNoEntry: false });
  } catch (error) {
    complain(path, error);
    return undefined;
  }
}

/** The part of a file in `range`; undefined if the file ends before it. */
export function clip({ size }: { readonly size: number }, range: ByteRange | undefined): { offset: number; length: number } | undefined {
  const { offset = 0, length = Infinity } = range ?? {};
  if (offset > size || (offset === size && offset > 0)) return undefined;
  return { offset, length: Math.min(length, size - offset) };
}
