// The parts of an open store.
import { PeerError } from '../errors.js';
import type { Blocks } from './file/blocks.js';
import type { Header } from './file/header.js';
import type { MappedFile } from './file/mapped-file.js';
import type { StoreFile } from './file/store-file.js';
import type { IndexGrowth } from './index/growth.js';
import type { HashIndex } from './index/hash-index.js';
import type { Log } from './log/log.js';
import type { Records } from './log/record.js';

/** The parts that readers and the writer share. */
export interface StoreParts {
  readonly disk: StoreFile;
  readonly windows: MappedFile;
  readonly header: Header;
  readonly records: Records;
}

/** The parts that only the writer has. */
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
  /** The damaged part in words, for example `'a record'`. */
  readonly what: string;
}

export function corruptStore(path: string, { offset, what }: Damage): PeerError {
  return new PeerError(
    'ERR_MEMMAP_CORRUPT',
    `At byte ${offset} of '${path}', ${what} does not match its checksum. To read the rest, open the store with salvage: true`,
    offset,
  );
}
