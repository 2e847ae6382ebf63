// Where things lie in a store's file.
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import {
  AT_CATALOG, AT_COUNT, AT_DIRECTORY, AT_LIVE, BLOCK, CATALOG_PLACES, CATALOG_WORDS, DIRECTORY_BLOCK, EXTENT_UNITS, EXTENT_USED, KEY_LENGTH, KIND,
  PUT, UNIT, recordBytes,
} from '../../../.unbundled/store/file/layout.js';

export { AT_CATALOG };

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

/** Writes to the file of a store, which may be open. `at`: a word. */
function poke(path, at, words) {
  const fd = openSync(path, 'r+');
  writeSync(fd, words, 0, words.byteLength, 4 * at);
  closeSync(fd);
}

/** Changes the number of pairs that the header tells. */
export function pokeCount(path, count) {
  poke(path, AT_COUNT, Int32Array.of(count));
}

/** Changes the bytes that are current, as the header tells them. */
export function pokeLive(path, bytes) {
  poke(path, AT_LIVE, Float64Array.of(bytes));
}

/** Takes all places of the catalog that are free. Returns them. */
export function fillCatalog(path) {
  const catalog = new Int32Array(CATALOG_PLACES * CATALOG_WORDS);
  const fd = openSync(path, 'r');
  readSync(fd, catalog, 0, catalog.byteLength, 4 * AT_CATALOG);
  closeSync(fd);
  const free = Array.from({ length: CATALOG_PLACES }, (_, place) => place).filter((place) => catalog[place * CATALOG_WORDS] === 0);
  for (const place of free) poke(path, AT_CATALOG + place * CATALOG_WORDS, Int32Array.of(-1));
  return free;
}

export function emptyCatalog(path, places) {
  for (const place of places) poke(path, AT_CATALOG + place * CATALOG_WORDS, Int32Array.of(0));
}
