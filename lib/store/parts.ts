// What a store is made of once it is open.
import { PeerError } from '../errors.js';
import type { Blocks } from './file/blocks.js';
import type { Header } from './file/header.js';
import type { MappedFile } from './file/mapped-file.js';
import type { StoreFile } from './file/store-file.js';
import type { IndexGrowth } from './index/growth.js';
import type { HashIndex } from './index/hash-index.js';
import type { Log } from './log/log.js';
import type { Records } from './log/record.js';

/** What a writer works with. */
export interface StoreParts {
  readonly disk: StoreFile;
  readonly windows: MappedFile;
  readonly header: Header;
  readonly records: Records;
}

/** What a writer changes, once the store has been recovered. */
export interface WriterState {
  readonly index: HashIndex;
  readonly growth: IndexGrowth;
  readonly blocks: Blocks;
  readonly log: Log;
}

/** A part of the file whose bytes do not match its checksum. */
export interface Damage {
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly what: string;
}

export function corruptStore(path: string, { offset, what }: Damage): PeerError {
  return new PeerError(
    'ERR_MEMMAP_CORRUPT',
    `At byte ${offset} of '${path}', ${what} does not match its checksum. The rest can be read: open the store with salvage: true`,
    offset,
  );
}
