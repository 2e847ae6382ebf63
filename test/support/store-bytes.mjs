// Where things lie in a store's file.
import { readFileSync } from 'node:fs';
import { AT_CATALOG, AT_DIRECTORY, BLOCK, CATALOG_WORDS, DIRECTORY_BLOCK, EXTENT_UNITS, EXTENT_USED, KEY_LENGTH, KIND, PUT, UNIT, recordBytes } from '../../dist/store/layout.js';

const CATALOG_PLACES = 64;

/** [{ offset, length, key }] of the records that put something, and the offsets of extents and index. */
export function layoutOf(path) {
  const bytes = readFileSync(path);
  const word = (offset) => bytes.readUInt32LE(offset);
  const extents = [];
  for (let place = 0; place < CATALOG_PLACES; place++) {
    const block = word(4 * (AT_CATALOG + CATALOG_WORDS * place));
    if (block !== 0) extents.push(block * BLOCK);
  }
  const records = extents.flatMap((extent) => recordsOf(extent, word, bytes));
  const directory = (word(4 * AT_DIRECTORY) & DIRECTORY_BLOCK) * BLOCK;
  const segment = word(directory) * BLOCK;
  const slots = [];
  for (let at = segment; at < segment + BLOCK; at += 8) if (word(at + 4) > 1) slots.push(at);
  return { extents, records, directory, segment, slots };
}

function recordsOf(extent, word, bytes) {
  const records = [];
  const end = extent + word(extent + 4 * EXTENT_USED) * UNIT;
  for (let offset = extent + EXTENT_UNITS * UNIT; offset < end; ) {
    const shape = word(offset + 4);
    const keyLength = shape & KEY_LENGTH;
    const kind = shape & KIND;
    const length = kind === PUT ? recordBytes(keyLength, word(offset + 8)) : recordBytes(keyLength, kind === 4 * PUT ? 16 : 0);
    if (kind === PUT) records.push({ offset, length, key: bytes.toString('utf8', offset + 16, offset + 16 + keyLength), valueLength: word(offset + 8), keyLength });
    offset += length;
  }
  return records;
}
