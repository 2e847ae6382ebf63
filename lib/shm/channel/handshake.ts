// How two processes with a socket between them make a pair of channels: docs/abi.md.
import { binding } from '../../internal/binding.js';
import { fchmod } from '../../internal/descriptors/calls.js';
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

/** The messages, in this order, and how many descriptors come with each. */
const HELLO = { number: 1, fds: 0 } as const;
const OFFER = { number: 2, fds: 2 } as const;
const READY = { number: 3, fds: 0 } as const;
type Step = typeof HELLO | typeof OFFER | typeof READY;

/** This process's end of each direction. */
export interface ChannelEnds {
  readonly producer: Producer;
  readonly consumer: Consumer;
}

function bytesOf({ number }: Step): Buffer {
  const bytes = Buffer.alloc(LENGTH);
  bytes.write(MAGIC, 'latin1');
  bytes.set(new Uint8Array(Uint32Array.of(VERSION, number).buffer), MAGIC.length);
  return bytes;
}

function hungUp(): PeerError {
  return new PeerError(
    'ERR_MEMMAP_PEER_CLOSED',
    'The peer hung up before the channel was made: it refuses this process, has too many clients, or is not a Channel.serve()',
  );
}

/** Turns the kernel's errors for a peer that has hung up into the one for the end of the socket. */
function named(error: unknown): unknown {
  const codes = ['EPIPE', 'ECONNRESET'];
  return error instanceof SystemError && codes.includes(error.code) ? hungUp() : error;
}

async function sendStep(connection: Connection, step: Step, fds: readonly number[], signal: AbortSignal): Promise<void> {
  await sendMessage(connection, Int32Array.from(fds), bytesOf(step), signal);
}

/** Receives a message and returns the descriptors that came with it, which the caller must close: the thread holds them. */
async function receiveStep(connection: Connection, step: Step, signal: AbortSignal): Promise<readonly number[]> {
  const message = await receiveMessage(connection, signal, { fds: step.fds, payload: LENGTH });
  if (message === undefined) throw hungUp();
  const { fds, payload } = message;
  if (fds.length === step.fds && payload.equals(bytesOf(step))) return fds;
  for (const fd of fds) binding.closeFd(fd);
  throw badMessage(`expected step ${step.number} of the channel handshake, version ${VERSION}`);
}

/** Makes the ends, and closes them if `go` fails. */
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

/**
 * A new channel for the peer. Another user that joins opens the memfd again, which its mode must permit.
 * Only processes that have the descriptor can do so.
 */
function made(capacity: number, { peer }: Connection): ChannelMemory {
  const memory = ChannelMemory.create({ kind: 'spsc', slow: 'wait', capacity });
  if (peer.uid !== process.geteuid?.()) fchmod(memory.fd, 0o666);
  return memory;
}

/** The server's part: makes the channels, of `capacity` bytes each, after the client's first message. */
export async function offer(
  connection: Connection,
  { capacity, spin }: Resolved<EndOptions> & { readonly capacity: number },
  signal: AbortSignal,
): Promise<ChannelEnds> {
  try {
    await receiveStep(connection, HELLO, signal);
    using out = made(capacity, connection);
    using back = made(capacity, connection);
    return await withEnds(out, back, { spin }, async () => {
      await sendStep(connection, OFFER, [out.fd, back.fd], signal);
      await receiveStep(connection, READY, signal);
    });
  } catch (error) {
    throw named(error);
  }
}

/** The client's part: checks and takes the channels. */
export async function accept(connection: Connection, options: EndOptions, signal: AbortSignal): Promise<ChannelEnds> {
  try {
    await sendStep(connection, HELLO, [], signal);
    const fds = await receiveStep(connection, OFFER, signal);
    try {
      // The channel that the server sends through comes first.
      const [theirs = -1, ours = -1] = fds;
      using back = taken(theirs);
      using out = taken(ours);
      return await withEnds(out, back, options, () => sendStep(connection, READY, [], signal));
    } finally {
      for (const fd of fds) binding.closeFd(fd);
    }
  } catch (error) {
    throw named(error);
  }
}

function taken(fd: number): ChannelMemory {
  const memory = ChannelMemory.fromFd(fd);
  if (memory.shape.kind === 'spsc') return memory;
  memory.close();
  throw badMessage(`expected a channel of kind 'spsc', got '${memory.shape.kind}'`);
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
    controller.abort(new StateError('ERR_MEMMAP_TIMEOUT', `Timed out after ${timeout} ms: the peer did not complete the channel handshake`));
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
