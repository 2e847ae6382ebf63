// Version: which file it is, and in which state. If one of the five differs, it is mapped anew.
import type { BigIntStats } from 'node:fs';

const NANOSECONDS = 1_000_000_000n;

export class Version {
  readonly #stats: BigIntStats;
  #etag: string | undefined;

  constructor(stats: BigIntStats) {
    this.#stats = stats;
  }

  get size(): number {
    return Number(this.#stats.size);
  }

  /** st_mtime in seconds since 1970. */
  get modified(): number {
    // Rounds down, before 1970 too.
    const { mtimeNs } = this.#stats;
    return Number((mtimeNs - (((mtimeNs % NANOSECONDS) + NANOSECONDS) % NANOSECONDS)) / NANOSECONDS);
  }

  isOf(stats: BigIntStats): boolean {
    const { dev, ino, size, mtimeNs, ctimeNs } = this.#stats;
    return stats.ino === ino && stats.mtimeNs === mtimeNs && stats.ctimeNs === ctimeNs && stats.size === size && stats.dev === dev;
  }

  /** The strong ETag of all five. */
  get etag(): string {
    if (this.#etag === undefined) {
      const { dev, ino, size, mtimeNs, ctimeNs } = this.#stats;
      this.#etag = `"${[dev, ino, size, mtimeNs, ctimeNs].map((number) => number.toString(36)).join('-')}"`;
    }
    return this.#etag;
  }
}
