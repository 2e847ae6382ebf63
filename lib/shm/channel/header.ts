// What stands in the first bytes of a channel's memory: docs/abi.md.
import { PeerError } from '../../errors.js';

/** What the other side wrote, or the memory, is not a channel's. `offset`: bytes into the memory. */
export function corrupt(message: string, offset: number): PeerError {
  return new PeerError('ERR_MEMMAP_CORRUPT', message, offset);
}


export type ChannelKind = 'spsc' | 'mpmc' | 'broadcast';

/** What becomes of a reader of a broadcast that is slow: the writer waits for it, or it loses messages. */
export type SlowReader = 'wait' | 'lose';

/** Bytes before the data: whole pages, whatever a page is. */
export const HEADER_LENGTH = 0x1_0000;

/** Bytes of data: powers of two. */
export const CAPACITY = { least: 0x1_0000, most: 0x4000_0000 } as const;

/** Indices of words. What one end writes often has 128 bytes of its own. */
export const WORD = {
  magic: 0,
  version: 2,
  kind: 3,
  capacity: 4,
  slow: 5,
  /** Positions: see ring.ts. */
  head: 32,
  /** Of a broadcast: see broadcast.ts. */
  number: 33,
  oldest: 34,
  tail: 64,
  /** Signals: messages have come, room has come. */
  messages: 96,
  room: 128,
  /** Whose turn it is to send, or to receive: mutexes of 'mpmc' channels. */
  sending: 160,
  receiving: 192,
  /** Who the producers are, and who the consumers: see ends.ts. */
  producers: 1024,
  consumers: 4096,
} as const;

/** "memmapch", little-endian. */
const MAGIC = [0x6d6d656d, 0x68637061] as const;
const VERSION = 1;
/** What stands in the header for each. */
export const KIND: Readonly<Record<ChannelKind, number>> = { spsc: 1, mpmc: 2, broadcast: 3 };
export const SLOW: Readonly<Record<SlowReader, number>> = { wait: 0, lose: 1 };

function wordOf<Name extends string>(table: Readonly<Record<Name, number>>, value: number | undefined): Name | undefined {
  return (Object.keys(table) as Name[]).find((name) => table[name] === value);
}

/** What a channel is. */
export interface Shape {
  readonly kind: ChannelKind;
  /** Bytes. */
  readonly capacity: number;
  readonly slow: SlowReader;
}

export function writeHeader(words: Int32Array, { kind, capacity, slow }: Shape): void {
  words.set(MAGIC, WORD.magic);
  words[WORD.version] = VERSION;
  words[WORD.kind] = KIND[kind];
  words[WORD.capacity] = capacity;
  words[WORD.slow] = SLOW[slow];
}

/** Reads each word once; what it says must fit to `length`, the bytes that the memory really has. */
export function readHeader(words: Int32Array, length: number): Shape {
  if (words[WORD.magic] !== MAGIC[0] || words[WORD.magic + 1] !== MAGIC[1]) {
    throw corrupt('The memory holds no channel', WORD.magic * 4);
  }
  const version = words[WORD.version];
  if (version !== VERSION) {
    throw corrupt(`The channel has format ${version}; this library knows ${VERSION}`, WORD.version * 4);
  }
  const kind = wordOf(KIND, words[WORD.kind]);
  if (kind === undefined) throw corrupt('The channel is of no kind', WORD.kind * 4);
  const capacity = words[WORD.capacity] ?? 0;
  const { least, most } = CAPACITY;
  if (capacity < least || capacity > most || (capacity & (capacity - 1)) !== 0 || capacity !== length - HEADER_LENGTH) {
    throw corrupt(
      `A capacity of ${capacity} bytes is impossible in ${length} bytes of memory`,
      WORD.capacity * 4,
    );
  }
  const slow = wordOf(SLOW, words[WORD.slow]);
  if (slow === undefined) throw corrupt('The channel has no rule for slow readers', WORD.slow * 4);
  return { kind, capacity, slow };
}
