// Leases: the bytes of a mapping for one stream, which outlive its close().
import { read } from 'node:fs';
import { FaultError } from '../../errors.js';

/** Offsets are bytes from the start of the mapping. */
export interface Lease {
  /** Fills `bytes`. Rejects if one of them is not there: they are never zeros instead. */
  read(bytes: Uint8Array, offset: number): Promise<void>;
  /** Gives back what it holds. Idempotent. */
  release(): void;
}

/** Releases the leases of streams that were collected before they ended. */
const forgotten = new FinalizationRegistry<Pick<Lease, 'release'>>((lease) => lease.release());

/** A lease that ends with `owner` at the latest. */
export function releaseWith(owner: object, lease: Pick<Lease, 'release'>): void {
  forgotten.register(owner, lease);
}

export function truncatedInStream(path: string | undefined, offset: number): FaultError {
  const file = path === undefined ? 'The memory' : `'${path}'`;
  return new FaultError(`${file} has shrunk while it was streamed: byte ${offset} of the mapping is past its end`, 'truncated', offset, path);
}

/** A descriptor of its own: read(2) sees the pages that a shared mapping has, and does not block the thread. */
export class FileLease implements Lease {
  readonly #fd: number;
  readonly #close: (fd: number) => void;
  /** Where in the file the mapping begins, in bytes. */
  readonly #start: number;
  readonly #path: string | undefined;
  #reading = false;
  #released = false;

  constructor(fd: number, close: (fd: number) => void, start = 0, path?: string) {
    this.#fd = fd;
    this.#close = close;
    this.#start = start;
    this.#path = path;
  }

  async read(bytes: Uint8Array, offset: number): Promise<void> {
    this.#reading = true;
    try {
      for (let done = 0; done < bytes.length; ) {
        const got = await this.#readSome(bytes, done, this.#start + offset + done);
        if (got === 0) throw truncatedInStream(this.#path, offset + done);
        done += got;
      }
    } finally {
      this.#reading = false;
      if (this.#released) this.#close(this.#fd);
    }
  }

  #readSome(bytes: Uint8Array, at: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      read(this.#fd, bytes, at, bytes.length - at, position, (error, got) => {
        if (error === null) resolve(got);
        else reject(error);
      });
    });
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    // A read that is under way uses the number.
    if (!this.#reading) this.#close(this.#fd);
  }
}
