// Restoring no faster than so many bytes a second: in parts, with pauses after those that read.
import { setTimeout } from 'node:timers/promises';
import { type CacheDump, type RestoreOptions, type Restored, restore } from '../index.js';
import { PAGE_SIZE } from '../sys/index.js';

/** Parts a second. Each looks anew what is missing. */
const PARTS = 4;

type Run = CacheDump['runs'][number];

/** The runs in groups of about `size` bytes. */
function groups(runs: readonly Run[], size: number): Run[][] {
  const found: Run[][] = [];
  let [group, room]: [Run[], number] = [[], size];
  for (const run of runs) {
    for (let done = 0; done < run.length; ) {
      const length = Math.min(run.length - done, room);
      group.push({ offset: run.offset + done, length });
      done += length;
      room -= length;
      if (room > 0) continue;
      found.push(group);
      [group, room] = [[], size];
    }
  }
  return group.length > 0 ? [...found, group] : found;
}

/** Permits bytes at a rate. */
export class Pace {
  readonly #rate: number;
  /** When the next part may begin, in ms of performance.now(). */
  #due = 0;

  /** @param rate - bytes a second */
  constructor(rate: number) {
    this.#rate = rate;
  }

  /** As restore(); one at a time. */
  async restore(cached: CacheDump, { signal, onProgress }: RestoreOptions): Promise<Restored> {
    const size = Math.max(PAGE_SIZE, Math.ceil(this.#rate / PARTS / PAGE_SIZE) * PAGE_SIZE);
    const total = { read: 0, present: 0, gone: 0, changed: false };
    for (const runs of groups(cached.runs, size)) {
      await this.#wait(signal);
      const begun = performance.now();
      const { read, present, gone, changed } = await restore({ ...cached, runs }, signal === undefined ? {} : { signal });
      this.#due = begun + (1000 * read) / this.#rate;
      total.read += read;
      total.present += present;
      total.gone += gone;
      total.changed ||= changed;
      onProgress?.({ done: total.read, total: cached.size });
    }
    return total;
  }

  async #wait(signal: AbortSignal | undefined): Promise<void> {
    const ms = this.#due - performance.now();
    if (ms > 0) await setTimeout(ms, undefined, signal && { signal }).catch(() => signal?.throwIfAborted());
  }
}
