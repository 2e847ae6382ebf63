// Compaction: what is current of an extent moves to the end of the log, and the extent's blocks go
// back to the disk. The oldest first: what says that a key was deleted must stay while an older
// extent may have the key.
import { setImmediate } from 'node:timers/promises';
import { invalidType, validateFunction, validateOptions, validateSignal } from '../internal/validate.js';
import type { Extent } from './file/header.js';
import type { Key } from './log/key.js';
import {
  BATCH, BLOCK, BLOCK_SHIFT, DELETE, EXTENT_UNITS, GIANT, KIND, PUT, SHAPE, TEXT, UNIT, WINDOW_SHIFT,
} from './file/layout.js';
import { covering, eachSlot } from './scan.js';
import { recordBytesAt, valueLengthOf } from './log/record.js';
import { destroy, usedOf } from './recovery.js';
import { LogReader } from './log/log-reader.js';
import type { Writer } from './writer.js';

/** How far `compact()` is. */
export interface CompactProgress {
  /** Bytes of the log seen, and to be seen. */
  readonly done: number;
  readonly total: number;
}

/** Options of {@link Store.compact}. */
export interface CompactOptions {
  /** Pieces of the log of which at least this part is not current any more; 0 is all. @default 0.1 */
  readonly waste?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: CompactProgress) => void) | undefined;
}

/** What `compact()` has done. */
export interface Compacted {
  /** Bytes of the log that went back, and that were copied for it. */
  readonly freed: number;
  readonly moved: number;
}

/** Records, or slots, between two turns of the event loop. */
const STEP = 4096;

class Steps {
  #left = STEP;
  readonly #signal: AbortSignal | undefined;
  readonly #still: () => void;

  constructor(signal: AbortSignal | undefined, still: () => void) {
    this.#signal = signal;
    this.#still = still;
  }

  /** Whether it is somebody else's turn. */
  get over(): boolean {
    this.#left -= 1;
    return this.#left <= 0;
  }

  async pause(): Promise<void> {
    this.#left = STEP;
    await setImmediate();
    this.#signal?.throwIfAborted();
    this.#still();
  }
}

function validateCompact(options: CompactOptions): CompactOptions {
  validateOptions<CompactOptions>(options, ['waste', 'signal', 'onProgress']);
  const { waste = 0.1, signal, onProgress } = options;
  if (typeof waste !== 'number' || !(waste >= 0 && waste <= 1)) throw invalidType('options.waste', 'a number from 0 to 1', waste);
  validateSignal(signal);
  if (onProgress !== undefined) validateFunction(onProgress, 'options.onProgress');
  return options;
}

/** Bytes of the records that are current, by the first block of their extent; and counts them all again. */
async function countLive({ parts, opened: { index, log } }: Writer, steps: Steps): Promise<Map<number, number>> {
  const { header, windows } = parts;
  const { sequence, unit } = log.place;
  const extents = header.extents().toSorted((a, b) => a.block - b.block);
  const live = new Map<number, number>(extents.map(({ block }) => [block, 0]));
  const ownerOf = (block: number): number => {
    let low = 0;
    let high = extents.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((extents[middle] as Extent).block <= block) low = middle;
      else high = middle - 1;
    }
    return (extents[low] as Extent).block;
  };
  index.begin();
  for (const { block } of covering(index)) {
    eachSlot(index, block, (window, at) => {
      windows.reach(window);
      const words = windows.words[window];
      if (words === undefined || !windows.holds(window, at)) return;
      const owner = ownerOf((window << WINDOW_SHIFT) | (at >> BLOCK_SHIFT));
      live.set(owner, (live.get(owner) ?? 0) + recordBytesAt(words, at));
    });
    await steps.pause();
  }
  // Unless something was written meanwhile, which may have been counted twice.
  if (log.place.sequence === sequence && log.place.unit === unit) header.live = [...live.values()].reduce((sum, bytes) => sum + bytes, 0);
  return live;
}

export async function compact(writer: Writer, key: Key, options: CompactOptions = {}, still: () => void): Promise<Compacted> {
  const { waste = 0.1, signal, onProgress } = validateCompact(options);
  signal?.throwIfAborted();
  const { parts: { header }, opened: { log } } = writer;
  const steps = new Steps(signal, still);
  const live = await countLive(writer, steps);
  const extents = header.extents().filter(({ sequence }) => sequence < log.extent.sequence);
  const worth = extents.filter(({ block, blocks }) => {
    const bytes = blocks * BLOCK - EXTENT_UNITS * UNIT;
    return bytes - (live.get(block) ?? 0) >= Math.max(1, waste * bytes);
  });
  const total = worth.reduce((sum, { blocks }) => sum + blocks * BLOCK, 0);
  let done = 0;
  let moved = 0;
  for (const extent of worth) {
    moved += await clear(writer, key, extent, steps);
    done += extent.blocks * BLOCK;
    onProgress?.({ done, total });
  }
  giveBack(writer);
  return { freed: total, moved };
}

async function clear(writer: Writer, key: Key, extent: Extent, steps: Steps): Promise<number> {
  const { parts: { windows, records, header, disk }, opened: { log, blocks } } = writer;
  const oldest = header.extents()[0]?.sequence === extent.sequence;
  const used = usedOf(windows, extent) ;
  const walk = new LogReader(windows, records, extent);
  let moved = 0;
  for (;;) {
    const found = walk.used < used ? walk.next() : undefined;
    if (found === undefined) {
      // What is broken here would be lost for good.
      if (walk.used < used) return moved;
      break;
    }
    for (const { window, at, length } of found) moved += move(writer, key, window, at, length, oldest);
    if (steps.over) await steps.pause();
  }
  writer.commitMarked();
  destroy(windows, extent);
  header.strike(extent.block);
  header.advance();
  disk.punch(extent.block * BLOCK, extent.blocks * BLOCK);
  // Before another use: what the disk has there must be nothing.
  disk.syncAll();
  blocks.give(extent.block, extent.blocks);
  log.publish();
  return moved;
}

/** Moves a record to the end of the log if it is current. @returns bytes moved */
function move(writer: Writer, key: Key, window: number, at: number, length: number, oldest: boolean): number {
  const { parts: { windows }, opened: { index, log } } = writer;
  const words = windows.words[window] as Int32Array;
  const shape = words[at + SHAPE] as number;
  const kind = shape & KIND;
  if (kind !== PUT && kind !== DELETE) return 0;
  key.takeStored(words, at);
  index.begin();
  const found = index.find(key);
  if (kind === DELETE) {
    if (oldest || found) return 0;
    log.reserve(length);
    log.copy(words, at, length / 4, shape & ~BATCH);
    log.publish();
    return length;
  }
  if (!found || index.window !== window || index.at !== at) return 0;
  if ((shape & GIANT) !== 0) {
    log.writeGiant(shape & (KIND | TEXT), key, writer.parts.records.readGiant(window, at, valueLengthOf(words, at)));
  } else {
    log.reserve(length);
    log.copy(words, at, length / 4, shape & ~BATCH);
  }
  index.move(key, log.window, log.record);
  log.publish();
  return length;
}

/** Gives the room of free blocks back to the disk. */
function giveBack({ parts: { disk }, opened: { blocks } }: Writer): void {
  for (const { block, blocks: count } of blocks.free) disk.punch(block * BLOCK, count * BLOCK);
}
