// Temporary files of the calling describe block, removed after it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Returns file(name, content?) -> path, in a directory that lives as long as the block. */
export function temporaryFiles() {
  let directory;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'memmap-'));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));
  return (name, content) => {
    const path = join(directory, name);
    if (content !== undefined) writeFileSync(path, content);
    return path;
  };
}
