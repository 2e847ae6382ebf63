// Recovery of a store after its writer or its machine has died.
//
// While the same kernel runs, its page cache has everything, and only the last records may be missing
// from the index: resume(). Otherwise some pages on the disk are old and some new; the index is made
// again from the records of the log whose checksums match: rebuild(). docs/durability.md has the reasons.
import { SystemError } from '../errors.js';
import { IndexUpdater } from './index-updater.js';
import { Blocks } from './file/blocks.js';
import { startExtent } from './log/extent.js';
import { HashIndex, segments } from './index/hash-index.js';
import type { Extent } from './file/header.js';
import { IndexGrowth, liveSlots } from './index/growth.js';
import {
  BLOCK, BLOCK_UNITS, BLOCK_WORDS, EXTENT_UNITS, EXTENT_USED, EXTENT_WORDS, KIND,
  LEAST_EXTENT, WATERMARK, UNIT,
} from './file/layout.js';
import { Log, type LogPosition, isPast } from './log/log.js';
import { valueAt } from './log/record.js';
import { type FoundExtent, LogReader, mendExtent, readExtent } from './log/log-reader.js';
import type { MappedFile } from './file/mapped-file.js';
import { type Damage, type WriterState, type StoreParts, corruptStore } from './parts.js';

/** Where the last record of an extent ends according to its header, in units. */
export function usedOf(windows: MappedFile, { block }: Extent): number {
  const { words, at } = windows.block(block);
  return words[at + EXTENT_USED] as number;
}

/** Removes an extent from the log, durably. */
export function destroy(windows: MappedFile, { block }: Extent): void {
  const { words, at } = windows.block(block);
  words.fill(0, at, at + EXTENT_WORDS);
  windows.sync(block * BLOCK, EXTENT_WORDS * 4);
}

/**
 * Records where the last record of an extent ends, and clears what follows, so that it is not mistaken for
 * records when the next extent, which also has this end, is gone.
 */
function endExtent({ disk, windows }: StoreParts, { block, blocks }: Extent, used: number): void {
  const { words, at } = windows.block(block);
  words[at + EXTENT_USED] = used;
  const rest = Math.ceil((used * UNIT) / BLOCK);
  words.fill(0, at + 2 * used, Math.min(at + rest * BLOCK_WORDS, words.length));
  if (rest >= blocks || disk.punch((block + rest) * BLOCK, (blocks - rest) * BLOCK)) return;
  words.fill(0, Math.min(at + rest * BLOCK_WORDS, words.length), Math.min(at + blocks * BLOCK_WORDS, words.length));
}

/** Counts again what a writer that died may have left wrong. */
function recount({ header, windows }: StoreParts, index: HashIndex): void {
  let count = 0;
  for (const { entry, depth, block } of segments(index)) {
    const { words, at } = windows.block(block);
    let used = 0;
    for (let slot = at + 1; slot < at + BLOCK_WORDS; slot += 2) if (words[slot] !== 0) used += 1;
    index.directory[index.directoryAt + 2 * entry + 1] = (depth << 16) | used;
    count += liveSlots(windows, block);
  }
  header.count = count;
}

function openIndex(parts: StoreParts, extents: readonly Extent[]): { index: HashIndex; growth: IndexGrowth; blocks: Blocks } {
  const index = new HashIndex(parts.windows, parts.header);
  index.begin();
  const growing = new IndexGrowth(index, new Blocks(parts.disk, []));
  growing.finish();
  const blocks = new Blocks(parts.disk, [{ block: 0, blocks: 1 }, ...extents, ...growing.blocks()]);
  return { index, growth: new IndexGrowth(index, blocks), blocks };
}

/** Clears the headers of extents whose writer died before it entered them into the catalog. */
function forget({ windows, header, disk }: StoreParts, blocks: Blocks): void {
  const end = Math.floor(disk.size() / BLOCK);
  for (const run of blocks.free) {
    for (let block = run.block; block < Math.min(run.block + run.blocks, end); block++) {
      if (readExtent(windows, header, block) === undefined) continue;
      const { words, at } = windows.block(block);
      words.fill(0, at, at + EXTENT_WORDS);
    }
  }
}

/**
 * Opens a store as it is: it was closed, or its writer died while this kernel ran. Undefined if it cannot be
 * opened so: it must be rebuilt.
 */
export function resume(parts: StoreParts, clean: boolean): WriterState | undefined {
  const { header, windows, records } = parts;
  if (!header.whole) return undefined;
  const extents = header.extents().filter((extent) => {
    const found = readExtent(windows, header, extent.block);
    const valid = found !== undefined && found.sequence === extent.sequence;
    if (!valid) header.removeExtent(extent.block);
    return valid;
  });
  const last = extents.at(-1);
  if (last === undefined) return undefined;
  const { index, growth, blocks } = openIndex(parts, extents);
  let used = usedOf(windows, last);
  if (!clean) {
    const applying = new IndexUpdater(parts, index, growth);
    const walk = new LogReader(windows, records, last, used);
    recount(parts, index);
    for (let found = walk.next(); found !== undefined; found = walk.next()) {
      for (const record of found) applying.again(record);
    }
    recount(parts, index);
    ({ used } = walk);
    forget(parts, blocks);
  }
  const log = new Log({ ...parts, blocks }, last, used);
  log.publish();
  return { index, growth, blocks, log };
}

/** All extents of the file, in the order of the log. */
function findExtents({ disk, windows, header }: StoreParts): FoundExtent[] {
  const total = Math.floor(disk.size() / BLOCK);
  const found: FoundExtent[] = [];
  for (let block = 1; block < total; ) {
    const extent = readExtent(windows, header, block);
    const fits = extent !== undefined && extent.blocks > 0 && extent.blocks <= total - block;
    if (fits) found.push(extent);
    block += fits ? extent.blocks : 1;
  }
  return found.toSorted((a, b) => a.sequence - b.sequence);
}

/** The last position up to which the log was durable according to its marks. */
function durableOf(parts: StoreParts, extents: readonly FoundExtent[]): LogPosition {
  let durable: LogPosition = { sequence: 0, unit: 0 };
  for (const extent of extents) {
    const walk = new LogReader(parts.windows, parts.records, extent);
    do {
      for (let found = walk.next(); found !== undefined; found = walk.next()) {
        const [{ window, at, typeAndLength } = { window: 0, at: 0, typeAndLength: 0 }] = found;
        if ((typeAndLength & KIND) !== WATERMARK) continue;
        const place = readMark(parts.windows.words[window] as Int32Array, at);
        if (isPast(place, durable.sequence, durable.unit)) durable = place;
      }
    } while (walk.skip());
  }
  return durable;
}

function readMark(words: Int32Array, at: number): LogPosition {
  const value = valueAt(words, at);
  return { sequence: words[value] as number, unit: ((words[value + 1] as number) >>> 0) + (words[value + 2] as number) * 2 ** 32 };
}

/**
 * Rebuilds the index from the log, up to the first record that is not valid. A record that is not valid
 * although it was durable is an error.
 *
 * @param salvage leave out damaged records instead of throwing
 * @throws {PeerError} ERR_MEMMAP_CORRUPT with the offset of what was durable and is damaged
 */
export function rebuild(parts: StoreParts, salvage: boolean): WriterState {
  const { header, windows, disk, records } = parts;
  const extents = findExtents(parts);
  const durable = durableOf(parts, extents);
  const damage: Damage[] = [];
  const report = (unit: number, what: string): void => {
    damage.push({ offset: unit * UNIT, what });
    if (!salvage) throw corruptStore(disk.path, damage[0] as Damage);
  };

  header.invalidate();
  // Before anything else changes: the disk must not have a store marked clean with an incomplete index.
  windows.sync(0, BLOCK);
  header.clearCatalog();
  header.count = 0;
  header.live = 0;
  header.sequence = extents.at(-1)?.sequence ?? 0;
  const used = [{ block: 0, blocks: 1 }, ...extents];
  const blocks = new Blocks(disk, used);
  IndexGrowth.make(windows, header, blocks);
  const index = new HashIndex(windows, header);
  index.begin();
  const growth = new IndexGrowth(index, blocks);
  const applying = new IndexUpdater(parts, index, growth);

  let end: LogPosition = { sequence: 0, unit: 0 };
  let kept = 0;
  for (const [i, extent] of extents.entries()) {
    if (extent.broken) {
      report(extent.block * BLOCK_UNITS, "an extent's header");
      mendExtent(windows, header, extent.block);
    }
    const former = extents[i - 1];
    const gap = former !== undefined && extent.before !== former.sequence;
    // If this extent was durable, those between were freed by compaction; otherwise they never reached the disk.
    if (gap && !salvage && !isPast(durable, extent.sequence, extent.block * BLOCK_UNITS)) break;
    const next = extents[i + 1];
    const limit = next?.before === extent.sequence ? next.beforeEnd : undefined;
    const walk = new LogReader(windows, records, extent);
    let whole = true;
    for (;;) {
      const at = walk.unit;
      const found = limit !== undefined && at >= limit ? undefined : walk.next();
      if (found !== undefined) {
        for (const record of found) applying.apply(record);
      } else {
        const past = isPast(durable, extent.sequence, at);
        const promised = past && (limit === undefined ? durable.sequence === extent.sequence : at < limit);
        const ended = limit !== undefined && at >= limit;
        whole = limit === undefined || ended || promised || salvage;
        // If the next extent was freed, the end of this one is not known: then no valid record follows it.
        const follows = !ended && !promised && (salvage || (limit === undefined && past)) && walk.skip();
        if (!promised && !follows) break;
        report(at, 'a record');
        if (!follows && !walk.skip()) break;
      }
    }
    end = { sequence: extent.sequence, unit: Math.min(walk.unit, limit ?? Infinity) };
    endExtent(parts, extent, end.unit - extent.block * BLOCK_UNITS);
    kept = i + 1;
    if (!whole) break;
  }

  for (const extent of extents.slice(0, kept)) header.enter(extent);
  for (const extent of extents.slice(kept)) {
    destroy(windows, extent);
    blocks.give(extent.block, extent.blocks);
  }
  return { index, growth, blocks, log: goOn(parts, blocks, end, extents[kept - 1]) };
}

/** The log after recovery: it continues in a new extent, or in the last one if the disk is full. */
function goOn(parts: StoreParts, blocks: Blocks, end: LogPosition, last: Extent | undefined): Log {
  try {
    const extent = startExtent({ ...parts, blocks }, LEAST_EXTENT, false, end.sequence, end.unit);
    return new Log({ ...parts, blocks }, extent, EXTENT_UNITS);
  } catch (error) {
    if (last === undefined || !(error instanceof SystemError && error.code === 'ENOSPC')) throw error;
    const from = Math.ceil(end.unit / BLOCK_UNITS);
    const rest = last.block + last.blocks - from;
    // Allocates again what endExtent() has freed.
    if (rest > 0) parts.disk.allocate(from * BLOCK, rest * BLOCK);
    return new Log({ ...parts, blocks }, last, end.unit - last.block * BLOCK_UNITS);
  }
}
