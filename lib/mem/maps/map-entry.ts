// Turns a line of /proc/PID/maps, or the result of PROCMAP_QUERY, into an entry of maps().
import { readlinkSync, statSync } from 'node:fs';
import { binding } from '../../internal/binding.js';
import type { Usage } from './usage.js';

const { PROT } = binding;

/** One mapping of a process: proc_pid_maps(5). */
export interface MapEntry {
  /** The first address. */
  readonly start: bigint;
  /** The first address after it. */
  readonly end: bigint;
  /** Bytes. */
  readonly length: number;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
  /** MAP_SHARED: writes reach the file, and other processes that map it. */
  readonly shared: boolean;
  /** Bytes from the start of the file to `start`. 0 without a file. */
  readonly offset: number;
  /** 'major:minor' of the file's device, hexadecimal, as the kernel writes it. '00:00' without a file. */
  readonly device: string;
  /** The inode of the file. 0 without a file. */
  readonly inode: number;
  /**
   * The path of the file, as this process sees it. The kernel also gives paths to some memory without a file:
   * '/memfd:name', '/dev/zero' (shared anonymous memory), '/SYSV00000000', all `deleted`.
   */
  readonly path: string | undefined;
  /** The file no longer has this path, or never had it. */
  readonly deleted: boolean;
  /** The name of memory without a file: '[heap]', '[stack]', '[vdso]', '[anon:a name]', 'anon_inode:[io_uring]'. */
  readonly name: string | undefined;
  /**
   * Whether it holds memory that memmap mapped in this process. The kernel merges adjacent mappings that
   * are alike, so a part may belong to other code. False for other processes.
   */
  readonly memmap: boolean;
  /** The memory that it uses, with `usage: true`. */
  readonly usage: Usage | undefined;
}

/** An entry whose usage is not yet known. */
export type EntryInMaking = Omit<MapEntry, 'usage'> & { usage: Usage | undefined };

/** The process whose map is read: 'self', or the number of another process. */
export type Whose = number | 'self';

const DELETED = ' (deleted)';
/** The newline is the only byte that the kernel escapes; it does not escape a backslash. */
const ESCAPED_NEWLINE = '\\012';
/** The path of pages that replace a closed mapping while its buffer still exists. */
export const CLOSED_PAGES: string = `/memfd:${binding.closedPagesName} (deleted)`;
const SHARED = 8;
const KERNEL_HALF = 1n << 63n;

/** Makes entries of one reading; asks the file system about a path once. */
export class EntryParser {
  readonly #whose: Whose;
  readonly #names = new Map<string, boolean>();
  /** Copies of texts: a slice of a line would keep all the lines around it in memory. */
  readonly #texts = new Map<string, string>();

  constructor(whose: Whose) {
    this.#whose = whose;
  }

  /** A line `start-end rwxp offset major:minor inode   path`. */
  line(line: string): EntryInMaking {
    const dash = line.indexOf('-');
    const flags = line.indexOf(' ', dash) + 1;
    const offset = line.indexOf(' ', flags) + 1;
    const device = line.indexOf(' ', offset) + 1;
    const inode = line.indexOf(' ', device) + 1;
    let rest = line.indexOf(' ', inode);
    if (rest === -1) rest = line.length;
    const start = line.slice(0, dash);
    const end = line.slice(dash + 1, flags - 1);
    let label = line.slice(rest).trimStart();
    if (label.includes(ESCAPED_NEWLINE)) label = this.#unescape(label, `${start}-${end}`);
    return this.#entry(
      BigInt(`0x${start}`),
      BigInt(`0x${end}`),
      (line[flags] === 'r' ? PROT.READ : 0) | (line[flags + 1] === 'w' ? PROT.WRITE : 0) |
        (line[flags + 2] === 'x' ? PROT.EXEC : 0) | (line[flags + 3] === 's' ? SHARED : 0),
      Number.parseInt(line.slice(offset, device - 1), 16),
      this.#own(line.slice(device, inode - 1)),
      Number(line.slice(inode, rest)),
      label,
    );
  }

  /** What binding.mapAt() has found. */
  found(facts: BigUint64Array, label: string): MapEntry {
    const { map } = binding.FACTS;
    const fact = (name: keyof typeof map): bigint => facts[map[name]] ?? 0n;
    const number = (name: keyof typeof map): number => Number(fact(name));
    const hex = (name: keyof typeof map): string => fact(name).toString(16).padStart(2, '0');
    return this.#entry(fact('start'), fact('end'), number('permissions'), number('offset'), `${hex('major')}:${hex('minor')}`, number('inode'), label);
  }

  #entry(
    start: bigint, end: bigint, flags: number, offset: number, device: string, inode: number, label: string,
  ): EntryInMaking {
    const isPath = label.startsWith('/');
    const deleted = isPath && label.endsWith(DELETED) && !this.#isName(label, inode);
    const length = Number(end - start);
    return {
      start,
      end,
      length,
      readable: (flags & PROT.READ) !== 0,
      writable: (flags & PROT.WRITE) !== 0,
      executable: (flags & PROT.EXEC) !== 0,
      shared: (flags & SHARED) !== 0,
      offset,
      device,
      inode,
      path: isPath ? this.#own(deleted ? label.slice(0, -DELETED.length) : label) : undefined,
      deleted,
      name: isPath || label === '' ? undefined : this.#own(label),
      memmap: this.#whose === 'self' && start < KERNEL_HALF && (label === CLOSED_PAGES || binding.holdsOurs(start, length)),
      usage: undefined,
    };
  }

  #own(text: string): string {
    let own = this.#texts.get(text);
    if (own === undefined) {
      own = Buffer.from(text).toString();
      this.#texts.set(own, own);
    }
    return own;
  }

  /** Whether a file has exactly this name, including the ' (deleted)' at its end. */
  #isName(path: string, inode: number): boolean {
    const key = `${inode} ${path}`;
    let known = this.#names.get(key);
    if (known === undefined) {
      try {
        known = statSync(path, { throwIfNoEntry: false })?.ino === inode;
      } catch {
        known = false; // a folder that we may not look into
      }
      this.#names.set(key, known);
    }
    return known;
  }

  /** The text stands for a newline, or is itself in the name. Only a privileged process can find out. */
  #unescape(label: string, range: string): string {
    try {
      return readlinkSync(`/proc/${this.#whose}/map_files/${range}`);
    } catch {
      return label.replaceAll(ESCAPED_NEWLINE, '\n');
    }
  }
}
