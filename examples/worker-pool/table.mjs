// A table of measurements in memory that threads and processes share: a column of stations and
// one of temperatures, each a typed array, so that nobody has to parse or copy it again.
import { SharedMemory } from 'memmap/shm';

/** Bytes before the columns: the number of rows. */
const HEADER = 8;

/** Makes room for so many rows. The memory is the caller's: its descriptor opens it elsewhere. */
export function createTable(rows) {
  const memory = SharedMemory.create({ length: HEADER + rows * (8 + 4) });
  const mapping = memory.map();
  mapping.view(Float64Array, { count: HEADER / 8 })[0] = rows;
  return { memory, mapping, ...columnsOf(mapping, rows) };
}

/** The table behind a descriptor, to be read. */
export function openTable(fd) {
  const memory = SharedMemory.fromFd(fd);
  const mapping = memory.map({ access: 'read' });
  memory.close(); // the mapping stays
  return { mapping, ...columnsOf(mapping, mapping.view(Float64Array, { count: HEADER / 8 })[0]) };
}

function columnsOf(mapping, rows) {
  return {
    temperatures: mapping.view(Float64Array, { offset: HEADER, count: rows }),
    stations: mapping.view(Uint32Array, { offset: HEADER + rows * 8, count: rows }),
  };
}
