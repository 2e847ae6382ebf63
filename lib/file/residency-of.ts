// The residency of files that are not mapped.
import { demandAccess } from '../internal/path.js';
import { type Range, resolveRange } from '../internal/range.js';
import { type Residency, unmappedResidency } from '../mem/residency.js';
import { mapFile } from './map-file.js';
import { type FileLike, locateFile } from './open-file.js';

/**
 * Reports which pages of a file are in memory, as {@link Mapping.residency}, without mapping it. Needs only
 * permission to read the file, and reads nothing from the disk. `mapped` is false, since this process does
 * not map it; `node` is known only on machines with one NUMA node.
 *
 * @throws {SystemError} as `mapFile()`: ENOENT, EACCES, EISDIR, ENODEV
 * @throws {RangeError} ERR_OUT_OF_RANGE
 */
export function residencyOf(file: FileLike, range?: Range): Residency {
  const { path, fd } = locateFile(file);
  const { offset, length } = resolveRange(range, Number.MAX_SAFE_INTEGER);
  if (fd === undefined) demandAccess(path, 'fs.read');
  const found = unmappedResidency(fd ?? path, offset, range?.length === undefined ? -1 : length);
  if (found !== undefined) return found;
  const mapping = mapFile(file, { noReserve: true });
  try {
    return mapping.residency(range);
  } finally {
    mapping.close();
  }
}
