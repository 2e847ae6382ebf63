// The lines of a log that grows, read in place, while others append to it and truncate it.
import { setTimeout } from 'node:timers/promises';
import { FaultError, mapFile } from 'memmap';

const LINE_FEED = 10;
/** Bytes by which a log is told from the one that follows it in the same file. */
const HEAD = 1024;
/** Bytes looked at in one go. */
const STRETCH = 2 ** 20;

/**
 * Yields each line once it is whole, from the beginning of the file on, until `signal` aborts.
 * After a truncation (`copytruncate` of logrotate) it goes on at the beginning. Throws
 * ERR_MEMMAP_FILE_REPLACED or ENOENT once the path leads to another file, or to none.
 */
export async function* follow(path, { signal, interval = 50 } = {}) {
  const log = new Log(path);
  try {
    for (;;) {
      const lines = log.read();
      yield* lines;
      if (signal?.aborted) return;
      if (lines.length === 0) await setTimeout(interval, undefined, { signal });
    }
  } catch (error) {
    if (error.name !== 'AbortError') throw error;
  } finally {
    log.close();
  }
}

class Log {
  #file;
  #position = 0;
  /** The first bytes of what has been read up to `#position`. */
  #head = Buffer.alloc(0);

  constructor(path) {
    this.#file = mapFile(path);
  }

  /** The whole lines that have come; none if the file was truncated while they were read. */
  read() {
    const file = this.#file;
    file.refresh();
    const head = this.#beginning();
    if (file.length < this.#position || !head.subarray(0, this.#head.length).equals(this.#head)) this.#position = 0;
    const end = this.#wholeLines();
    const lines = Array.from(file.lines({ offset: this.#position, length: end - this.#position }), String);
    // Only now can one know that all this was of one log, and no zeros from behind its end.
    if (!this.#beginning().equals(head) || !this.#has(end)) return [];
    this.#position = end;
    this.#head = head.subarray(0, end);
    return lines;
  }

  #beginning() {
    return Buffer.from(this.#file.bytes.subarray(0, HEAD));
  }

  /** Where the whole lines of the next stretch end. */
  #wholeLines() {
    const start = this.#position;
    const last = this.#file.bytes.subarray(start, start + STRETCH).lastIndexOf(LINE_FEED);
    if (last !== -1) return start + last + 1;
    return Math.max(start, this.#file.indexOf(LINE_FEED, start) + 1);
  }

  /** Whether everything before `end` came from the file, and is in it still. */
  #has(end) {
    try {
      this.#file.check();
    } catch (error) {
      if (error instanceof FaultError) return false;
      throw error;
    }
    return this.#file.size() >= end;
  }

  close() {
    this.#file.close();
  }
}
