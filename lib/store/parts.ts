// What a store is made of once it is open.
import { PeerError } from '../errors.js';
import type { Blocks } from './file/blocks.js';
import type { Header } from './file/header.js';
import type { Windows } from './file/mapped-file.js';
import type { Disk } from './file/store-file.js';
import type { IndexGrowth } from './index/growth.js';
import type { HashIndex } from './index/hash-index.js';
import type { Log } from './log/log.js';
import type { Records } from './log/record.js';

/** What a writer works with. */
export interface Parts {
  readonly disk: Disk;
  readonly windows: Windows;
  readonly header: Header;
  readonly records: Records;
}

/** What a writer changes, once the store has been recovered. */
export interface Opened {
  readonly index: HashIndex;
  readonly growth: IndexGrowth;
  readonly blocks: Blocks;
  readonly log: Log;
}

/** A part of the file that is broken. */
export interface Damage {
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly what: string;
}

export function broken(path: string, { offset, what }: Damage): PeerError {
  return new PeerError(
    'ERR_MEMMAP_CORRUPT',
    `At byte ${offset} of '${path}', ${what} does not match its checksum. The rest can be read: open the store with salvage: true`,
    offset,
  );
}
