// The ends of channels as streams of Node. A stream owns its end, and closes it when it ends.
import type { Duplex, Readable, Writable } from 'node:stream';
import { setImmediate as yieldToLoop } from 'node:timers/promises';
import { validateBoolean, validateInteger, validateOptions, validateSignal } from '../../internal/validate.js';

/** The most bytes that are passed on in one turn of the event loop. */
const STRETCH = 2 ** 22;
/** The most messages. */
const MESSAGES = 1024;

/** Options of {@link DuplexChannel.stream}. */
export interface StreamOptions {
  /**
   * Keep the boundaries of messages: each is an object of the stream, even if empty, and one that is longer
   * than the channel can hold is an error. Otherwise it is a stream of bytes. @default false
   */
  readonly objectMode?: boolean | undefined;
  /** As in node:stream: bytes, or messages in object mode. */
  readonly highWaterMark?: number | undefined;
  /** Destroys the stream when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Where the messages of a stream come from: a Consumer. */
interface MessageSource {
  readonly closed: boolean;
  tryReceive(): Buffer | undefined;
  receive(): Promise<Buffer | undefined>;
}

/** Where the messages of a stream go: a Producer. */
interface MessageSink {
  /** Bytes of the longest message. */
  readonly limit: number;
  trySendMany(messages: readonly Uint8Array[]): number;
  send(message: Uint8Array): Promise<void>;
  close(): void;
}

function validate(options: StreamOptions): void {
  validateOptions<StreamOptions>(options, ['objectMode', 'highWaterMark', 'signal']);
  const { objectMode, highWaterMark, signal } = options;
  if (objectMode !== undefined) validateBoolean(objectMode, 'options.objectMode');
  if (highWaterMark !== undefined) validateInteger(highWaterMark, 'options.highWaterMark');
  validateSignal(signal);
}

/** Loaded when first needed. */
function streams(): typeof import('node:stream') {
  return process.getBuiltinModule('node:stream');
}

/** Fills a stream from a consumer, one message after the other. */
class ReadablePump {
  readonly #consumer: MessageSource;
  readonly #borders: boolean;
  #wanted = false;
  #runs = false;
  /** The error that ended the source. */
  #failure: Error | undefined;

  constructor(consumer: MessageSource, borders: boolean) {
    this.#consumer = consumer;
    this.#borders = borders;
  }

  /** Called when the stream has room, possibly during a push(). */
  async read(stream: Readable): Promise<void> {
    this.#wanted = true;
    if (this.#runs) return;
    this.#runs = true;
    try {
      while (this.#wanted) await this.#stretch(stream);
    } catch (error) {
      if (this.#consumer.closed) stream.destroy();
      else this.#failure = error as Error;
    }
    this.#runs = false;
    this.taken(stream);
  }

  /** Called when data was read from the stream. After a failure, destroys the stream once all it had buffered is read. */
  taken(stream: Readable): void {
    if (this.#failure !== undefined && stream.readableLength === 0) stream.destroy(this.#failure);
  }

  /** Passes on messages until the stream is full or the event loop should run. */
  async #stretch(stream: Readable): Promise<void> {
    for (let bytes = 0, messages = 0; bytes < STRETCH && messages < MESSAGES; messages++) {
      const message = this.#consumer.tryReceive() ?? (await this.#consumer.receive());
      this.#wanted = false;
      if (message === undefined) stream.push(null);
      else if ((message.length === 0 && !this.#borders) || stream.push(message)) this.#wanted = true;
      if (!this.#wanted) return;
      bytes += message?.length ?? 0;
    }
    await yieldToLoop();
  }
}

type Tell = (error?: Error | null) => void;

/** Empties a stream into a producer. */
class WritablePump {
  readonly #producer: MessageSink;
  /** Bytes of the longest message: a quarter of the limit, so that several fit at a time. */
  readonly #most: number;

  constructor(producer: MessageSink, borders: boolean) {
    this.#producer = producer;
    this.#most = borders ? Infinity : producer.limit >> 2;
  }

  /** Calls `done` when all chunks are in the channel. */
  write(chunks: readonly Uint8Array[], done: Tell): void {
    let rest: readonly Uint8Array[];
    try {
      const messages = chunks.flatMap((chunk) => this.#messagesOf(chunk));
      rest = messages.slice(this.#producer.trySendMany(messages));
    } catch (error) {
      done(error as Error);
      return;
    }
    if (rest.length === 0) done();
    else void this.#wait(rest, done);
  }

  #messagesOf(chunk: Uint8Array): readonly Uint8Array[] {
    const most = this.#most;
    if (most === Infinity) return [chunk];
    return Array.from({ length: Math.ceil(chunk.length / most) }, (_, i) => chunk.subarray(i * most, (i + 1) * most));
  }

  async #wait(messages: readonly Uint8Array[], done: Tell): Promise<void> {
    let failure: unknown;
    try {
      for (const message of messages) await this.#producer.send(message);
    } catch (error) {
      failure = error;
    }
    done(failure as Error | undefined);
  }
}

/** Makes a stream that a pump fills. The pump notices reads from it. */
function filled<Stream extends Readable>(
  consumer: MessageSource,
  { objectMode = false }: StreamOptions,
  make: (reading: { read(this: Readable): void }) => Stream,
): Stream {
  const pump = new ReadablePump(consumer, objectMode);
  const stream = make({
    read() {
      void pump.read(this);
    },
  });
  const read = stream.read.bind(stream);
  stream.read = (size) => {
    const chunk: unknown = read(size);
    pump.taken(stream);
    return chunk;
  };
  return stream;
}

interface Writing {
  write(chunk: Uint8Array, encoding: BufferEncoding, done: Tell): void;
  writev(chunks: readonly { chunk: Uint8Array }[], done: Tell): void;
  final(done: Tell): void;
}

function writing(producer: MessageSink, { objectMode = false }: StreamOptions): Writing {
  const pump = new WritablePump(producer, objectMode);
  return {
    write: (chunk: Uint8Array, _encoding, done) => pump.write([chunk], done),
    writev: (chunks, done) => pump.write(chunks.map(({ chunk }) => chunk), done),
    final: (done) => {
      producer.close();
      done();
    },
  };
}

/** Closes the end that the stream owns when the stream is destroyed. */
function closing(owned: { close(): void }): { destroy(error: Error | null, done: Tell): void } {
  return {
    destroy(error, done) {
      owned.close();
      done(error);
    },
  };
}

export function readableOf(consumer: MessageSource, owned: { close(): void }): Readable {
  const { Readable } = streams();
  return filled(consumer, {}, (reading) => new Readable({ ...reading, ...closing(owned) }));
}

export function writableOf(producer: MessageSink, owned: { close(): void }): Writable {
  const { Writable } = streams();
  return new Writable({ ...writing(producer, {}), ...closing(owned) });
}

export function duplexOf(
  { consumer, producer }: { readonly consumer: MessageSource; readonly producer: MessageSink },
  owned: { close(): void },
  options: StreamOptions = {},
): Duplex {
  validate(options);
  const { Duplex } = streams();
  return filled(
    consumer,
    options,
    (reading) => new Duplex({ ...options, ...reading, ...writing(producer, options), ...closing(owned) }),
  );
}
