// The header of a channel's memory: docs/abi.md.
import { PeerError } from '../../errors.js';

/** The memory is not that of a valid channel. `offset`: bytes into the memory. */
export function corrupt(message: string, offset: number): PeerError {
  return new PeerError('ERR_MEMMAP_CORRUPT', message, offset);
}

/** How many producers and consumers a channel has: {@link ChannelOptions.kind}. */
export type ChannelKind = 'spsc' | 'mpmc' | 'broadcast';

/** What happens when a consumer of a broadcast is slow: the producer waits, or the consumer loses messages. */
export type SlowReader = 'wait' | 'lose';

/** Bytes before the data: whole pages for every page size of Linux. */
export const HEADER_LENGTH = 0x1_0000;

/** Bytes of data: powers of two. */
export const CAPACITY = { least: 0x1_0000, most: 0x4000_0000 } as const;

/** Indices of words. Words that one end writes often have 128 bytes to themselves. */
export const WORD = {
  magic: 0,
  version: 2,
  kind: 3,
  capacity: 4,
  slow: 5,
  /** Positions: see ring.ts. */
  head: 32,
  /** For a broadcast: see broadcast-ring.ts. */
  number: 33,
  oldest: 34,
  tail: 64,
  /** Signals that messages have arrived, and that there is room: see event-count.ts. */
  messages: 96,
  room: 128,
  /** Mutexes of 'mpmc' channels: which end may send, and which may receive. */
  sending: 160,
  receiving: 192,
  /** The places of producers and consumers: see members.ts. */
  producers: 1024,
  consumers: 4096,
} as const;

/** "memmapch", little-endian. */
const MAGIC = [0x6d6d656d, 0x68637061] as const;
const VERSION = 1;
/** The numbers in the header. */
export const KIND: Readonly<Record<ChannelKind, number>> = { spsc: 1, mpmc: 2, broadcast: 3 };
export const SLOW: Readonly<Record<SlowReader, number>> = { wait: 0, lose: 1 };

function wordOf<Name extends string>(table: Readonly<Record<Name, number>>, value: number | undefined): Name | undefined {
  return (Object.keys(table) as Name[]).find((name) => table[name] === value);
}

/** The properties of a channel. */
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

/** Reads each word once, and checks it against `length`, the real length of the memory in bytes. */
export function readHeader(words: Int32Array, length: number): Shape {
  if (words[WORD.magic] !== MAGIC[0] || words[WORD.magic + 1] !== MAGIC[1]) {
    throw corrupt('The memory does not hold a channel: its magic number is missing', WORD.magic * 4);
  }
  const version = words[WORD.version];
  if (version !== VERSION) {
    throw corrupt(`The channel has format version ${version}; this version of memmap supports ${VERSION}`, WORD.version * 4);
  }
  const kind = wordOf(KIND, words[WORD.kind]);
  if (kind === undefined) throw corrupt(`Unknown channel kind ${words[WORD.kind]} in the channel header`, WORD.kind * 4);
  const capacity = words[WORD.capacity] ?? 0;
  const { least, most } = CAPACITY;
  if (capacity < least || capacity > most || (capacity & (capacity - 1)) !== 0 || capacity !== length - HEADER_LENGTH) {
    throw corrupt(
      `A capacity of ${capacity} bytes is impossible in ${length} bytes of memory`,
      WORD.capacity * 4,
    );
  }
  const slow = wordOf(SLOW, words[WORD.slow]);
  if (slow === undefined) throw corrupt(`Unknown slow-reader policy ${words[WORD.slow]} in the channel header`, WORD.slow * 4);
  return { kind, capacity, slow };
}
