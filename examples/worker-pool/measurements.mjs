// Measurements as text, "station;temperature" in a line: made up, and parsed.
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { mapFile } from 'memmap';
import { createTable } from './table.mjs';

const STATIONS = 100;
const SEMICOLON = 59;

/** Writes a file of so many lines, always the same ones. */
export async function writeMeasurements(path, lines) {
  function* chunks() {
    let state = 1;
    for (let line = 0; line < lines; ) {
      let chunk = '';
      for (const end = Math.min(lines, line + 10_000); line < end; line++) {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        const station = (state >>> 16) % STATIONS;
        chunk += `station-${station};${(station / 4 + ((state >>> 8) % 200) / 10 - 10).toFixed(1)}\n`;
      }
      yield chunk;
    }
  }
  await pipeline(Readable.from(chunks()), createWriteStream(path));
}

/** Parses a file into a table, and a list of the stations' names. */
export function readMeasurements(path) {
  const file = mapFile(path); // the lines are views of the page cache
  const table = createTable(file.count(10));
  const numbers = new Map();
  let row = 0;
  for (const line of file.lines()) {
    const end = line.indexOf(SEMICOLON);
    const name = line.toString('utf8', 0, end);
    let number = numbers.get(name);
    if (number === undefined) numbers.set(name, (number = numbers.size));
    table.stations[row] = number;
    table.temperatures[row++] = Number(line.toString('latin1', end + 1));
  }
  file.close();
  return { table, names: [...numbers.keys()] };
}
