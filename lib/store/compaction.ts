// Compaction: copies the current records of an extent to the end of the log, and frees the blocks of
// the extent. The oldest extents come first: the record of a deletion must stay while an older extent
// may have the key.
import { setImmediate } from 'node:timers/promises';
import { invalidType, validateFunction, validateOptions, validateSignal } from '../internal/validate.js';
import type { Extent } from './file/header.js';
import type { Key } from './log/key.js';
import {
  BATCH, BLOCK, BLOCK_SHIFT, DELETE, EXTENT_UNITS, GIANT, KIND, PUT, TYPE_AND_LENGTH, TEXT, UNIT, WINDOW_SHIFT,
} from './file/layout.js';
import { scanSegments, eachSlot } from './scan.js';
import { recordBytesAt, valueLengthOf } from './log/record.js';
import { destroy, usedOf } from './recovery.js';
import { LogReader } from './log/log-reader.js';
import type { Writer } from './writer.js';

/** The progress of {@link Store.compact}. */
export interface CompactProgress {
  /** Bytes of the log that are done. */
  readonly done: number;
  /** Bytes of the log to compact. */
  readonly total: number;
}

/** Options of {@link Store.compact}. */
export interface CompactOptions {
  /** Compacts pieces of the log of which at least this part, from 0 to 1, is not current; 0 compacts all. @default 0.1 */
  readonly waste?: number | undefined;
  /** Stops between two steps when aborted; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each piece of the log. */
  readonly onProgress?: ((progress: CompactProgress) => void) | undefined;
}

/** The result of {@link Store.compact}. */
export interface Compacted {
  /** Bytes of the log that were freed. */
  readonly freed: number;
  /** Bytes of current records that were copied to the end of the log. */
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

  /** Whether other tasks should run. */
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

/** The bytes of current records by the first block of their extent. Also sets their sum in the header. */
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
  for (const { block } of scanSegments(index)) {
    eachSlot(index, block, (window, at) => {
      windows.reach(window);
      const words = windows.words[window];
      if (words === undefined || !windows.holds(window, at)) return;
      const owner = ownerOf((window << WINDOW_SHIFT) | (at >> BLOCK_SHIFT));
      live.set(owner, (live.get(owner) ?? 0) + recordBytesAt(words, at));
    });
    await steps.pause();
  }
  // Not if something was written meanwhile, which may have been counted twice.
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
      // A damaged record would be lost for good: keep the extent.
      if (walk.used < used) return moved;
      break;
    }
    for (const { window, at, length } of found) moved += move(writer, key, window, at, length, oldest);
    if (steps.over) await steps.pause();
  }
  writer.commitMarked();
  destroy(windows, extent);
  header.removeExtent(extent.block);
  header.advance();
  disk.punch(extent.block * BLOCK, extent.blocks * BLOCK);
  // Before the blocks are reused: the disk must not have old records there.
  disk.syncAll();
  blocks.give(extent.block, extent.blocks);
  log.publish();
  return moved;
}

/** Moves a record to the end of the log if it is current. @returns bytes moved */
function move(writer: Writer, key: Key, window: number, at: number, length: number, oldest: boolean): number {
  const { parts: { windows }, opened: { index, log } } = writer;
  const words = windows.words[window] as Int32Array;
  const typeAndLength = words[at + TYPE_AND_LENGTH] as number;
  const kind = typeAndLength & KIND;
  if (kind !== PUT && kind !== DELETE) return 0;
  key.takeStored(words, at);
  index.begin();
  const found = index.find(key);
  if (kind === DELETE) {
    if (oldest || found) return 0;
    log.reserve(length);
    log.copy(words, at, length / 4, typeAndLength & ~BATCH);
    log.publish();
    return length;
  }
  if (!found || index.window !== window || index.at !== at) return 0;
  if ((typeAndLength & GIANT) !== 0) {
    log.writeGiant(typeAndLength & (KIND | TEXT), key, writer.parts.records.readGiant(window, at, valueLengthOf(words, at)));
  } else {
    log.reserve(length);
    log.copy(words, at, length / 4, typeAndLength & ~BATCH);
  }
  index.move(key, log.window, log.record);
  log.publish();
  return length;
}

/** Punches holes where blocks are free. */
function giveBack({ parts: { disk }, opened: { blocks } }: Writer): void {
  for (const { block, blocks: count } of blocks.free) disk.punch(block * BLOCK, count * BLOCK);
}
