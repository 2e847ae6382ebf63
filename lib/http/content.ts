// Content: the bytes that responses send, wherever they come from.

export interface Content {
  readonly path: string | Buffer;
  /** Bytes. */
  readonly size: number;
  /** Undefined: no version of a file is known to have these bytes. */
  readonly etag: string | undefined;
  /** Seconds since 1970. */
  readonly modified: number | undefined;
  /**
   * Fills `bytes` with what is at `offset`. Throws or rejects if one of them is not there: they are never zeros instead.
   *
   * @throws {FaultError} ERR_MEMMAP_TRUNCATED
   */
  read(bytes: Uint8Array, offset: number): void | Promise<void>;
  /** Bytes from the start that views may show; 0: none. */
  readonly viewable: number;
  /** Bytes in place, below `viewable`: for system calls alone, and not to be trusted before `verify()`. */
  view(offset: number, length: number): Uint8Array;
  /**
   * Throws unless all views have had the bytes of the file until now.
   *
   * @throws {FaultError} ERR_MEMMAP_TRUNCATED
   */
  verify(): void;
  /** Gives back what one request holds. Called once. */
  release(): void;
}
