// The files of the soak: no byte of them is ever zero, as long as the file has it.
import assert from 'node:assert/strict';
import { closeSync, openSync, readSync } from 'node:fs';

export const PAGE = 4096;
/** Bytes of a file that nobody has truncated. */
export const FULL = 64 * PAGE;

export function pattern(from, to) {
  return Buffer.from(Array.from({ length: to - from }, (_, i) => 1 + ((from + i) % 251)));
}

export const CONTENT = pattern(0, FULL);

/** Some of the bytes, the first and the last among them, are those of the file from `offset` on. */
export function assertBytes(bytes, offset, next, what) {
  const places = [0, bytes.length - 1, ...Array.from({ length: 20 }, () => next(bytes.length))];
  for (const at of places) {
    const byte = bytes[at];
    if (byte !== CONTENT[offset + at]) assert.fail(`${what}: byte ${offset + at} is ${byte}, not ${CONTENT[offset + at]}`);
  }
}

/** What read(2) says of a page of the file. */
export function readPage(path, page) {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(PAGE);
    assert.equal(readSync(fd, bytes, 0, PAGE, page * PAGE), PAGE);
    return bytes;
  } finally {
    closeSync(fd);
  }
}
