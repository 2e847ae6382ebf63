// Long files that take no space.
import { closeSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';

export const GIB = 2 ** 30;

/** Makes `path` a file of holes, with `marks` ([offset, text] pairs) in it. Returns the path. */
export function makeSparse(path, length, marks = []) {
  writeFileSync(path, '');
  truncateSync(path, length);
  const fd = openSync(path, 'r+');
  for (const [offset, text] of marks) writeSync(fd, text, offset);
  closeSync(fd);
  return path;
}
