// Buffers over existing memory.

type BytesConstructor = new (buffer: ArrayBufferLike, offset: number, length: number) => Buffer;

/** The class of Buffers, whose constructor takes half the time of `subarray`. */
export const Bytes: BytesConstructor = (Buffer as unknown as { [Symbol.species]: BytesConstructor })[Symbol.species];
