// How two processes that have a socket between them come to a pair of channels: docs/abi.md.
import { closeSync, fchmodSync } from 'node:fs';
import { PeerError, StateError, SystemError } from '../../errors.js';
import type { EndOptions } from './end.js';
import { ChannelMemory } from './memory.js';
import { type Connection, receiveMessage, sendMessage } from '../socket/connection.js';
import type { Consumer } from './consumer.js';
import { badMessage } from '../socket/frame.js';
import type { Producer } from './producer.js';
import { LONGEST } from '../wait/fifo.js';
import type { Resolved } from '../../internal/resolved.js';

const MAGIC = 'memmapdx';
const VERSION = 1;
/** Bytes of each message. */
const LENGTH = 16;

/** What is said, in this order, and how many descriptors come with it. */
const HELLO = { step: 1, fds: 0 } as const;
const OFFER = { step: 2, fds: 2 } as const;
const READY = { step: 3, fds: 0 } as const;
type Saying = typeof HELLO | typeof OFFER | typeof READY;

/** This process's end of each direction. */
export interface ChannelEnds {
  readonly producer: Producer;
  readonly consumer: Consumer;
}

function bytesOf({ step }: Saying): Buffer {
  const bytes = Buffer.alloc(LENGTH);
  bytes.write(MAGIC, 'latin1');
  bytes.set(new Uint8Array(Uint32Array.of(VERSION, step).buffer), MAGIC.length);
  return bytes;
}

function hungUp(): PeerError {
  return new PeerError(
    'ERR_MEMMAP_PEER_CLOSED',
    'The peer hung up before there was a channel: it does not want this process, has too many already, or is not a Channel.serve()',
  );
}

/** What the kernel says of a peer that has hung up, said as for any other. */
function named(error: unknown): unknown {
  const codes = ['EPIPE', 'ECONNRESET'];
  return error instanceof SystemError && codes.includes(error.code) ? hungUp() : error;
}

async function say(connection: Connection, saying: Saying, fds: readonly number[], signal: AbortSignal): Promise<void> {
  await sendMessage(connection, Int32Array.from(fds), bytesOf(saying), signal);
}

/** Descriptors that came with it: the caller's. */
async function hear(connection: Connection, saying: Saying, signal: AbortSignal): Promise<readonly number[]> {
  const message = await receiveMessage(connection, signal, { fds: saying.fds, payload: LENGTH });
  if (message === undefined) throw hungUp();
  const { fds, payload } = message;
  if (fds.length === saying.fds && payload.equals(bytesOf(saying))) return fds;
  for (const fd of fds) closeSync(fd);
  throw badMessage(`not step ${saying.step} of version ${VERSION} of what makes a channel`);
}

/** Takes the ends, and gives them back if `go` fails. */
async function withEnds(out: ChannelMemory, back: ChannelMemory, options: EndOptions, go: () => Promise<void>): Promise<ChannelEnds> {
  const producer = out.producer(options);
  let consumer: Consumer | undefined;
  try {
    consumer = back.consumer(options);
    await go();
    return { producer, consumer };
  } catch (error) {
    producer.close();
    consumer?.close();
    throw error;
  }
}

/** Who joins opens the memory anew, which is its owner's. Only who has it finds it, whatever its mode. */
function made(capacity: number, { peer }: Connection): ChannelMemory {
  const memory = ChannelMemory.create({ kind: 'spsc', slow: 'wait', capacity });
  if (peer.uid !== process.geteuid?.()) fchmodSync(memory.fd, 0o666);
  return memory;
}

/** The server's part: makes the channels, of `capacity` bytes each, once the client has spoken. */
export async function offer(
  connection: Connection,
  { capacity, spin }: Resolved<EndOptions> & { readonly capacity: number },
  signal: AbortSignal,
): Promise<ChannelEnds> {
  try {
    await hear(connection, HELLO, signal);
    using out = made(capacity, connection);
    using back = made(capacity, connection);
    return await withEnds(out, back, { spin }, async () => {
      await say(connection, OFFER, [out.fd, back.fd], signal);
      await hear(connection, READY, signal);
    });
  } catch (error) {
    throw named(error);
  }
}

/** The client's part: takes the channels, after a look at them. */
export async function accept(connection: Connection, options: EndOptions, signal: AbortSignal): Promise<ChannelEnds> {
  try {
    await say(connection, HELLO, [], signal);
    const fds = await hear(connection, OFFER, signal);
    try {
      // What the server sends through, and what it receives through.
      const [theirs = -1, ours = -1] = fds;
      using back = taken(theirs);
      using out = taken(ours);
      return await withEnds(out, back, options, () => say(connection, READY, [], signal));
    } finally {
      for (const fd of fds) closeSync(fd);
    }
  } catch (error) {
    throw named(error);
  }
}

function taken(fd: number): ChannelMemory {
  const memory = ChannelMemory.fromFd(fd);
  if (memory.shape.kind === 'spsc') return memory;
  memory.close();
  throw badMessage(`a channel of kind '${memory.shape.kind}'`);
}

/** Runs with a signal that is aborted after `timeout` milliseconds, or with the caller's. */
export async function within<T>(
  timeout: number,
  signal: AbortSignal | undefined,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const abort = (): void => controller.abort(signal?.reason);
  const expire = (): void => {
    controller.abort(new StateError('ERR_MEMMAP_TIMEOUT', `The peer has not made a channel with us within ${timeout} ms`));
  };
  const timer = timeout < LONGEST ? setTimeout(expire, timeout) : undefined;
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await run(controller.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}
