// npm run demo [-- FILE]: what memmap does, on a real file, with the figures it measured.
import { basename } from 'node:path';
import { mapFile } from 'memmap';
import pc from 'picocolors';
import { copyOnWrite, editThroughMap, withCopy } from './editing.mjs';
import { describeHeader } from './header.mjs';
import { countAndFind, randomReads } from './reading.mjs';
import { presence } from './presence.mjs';
import { bytes, section } from './text.mjs';

const path = process.argv[2] ?? process.execPath;

function main() {
  using(mapFile(path), (file) => {
    if (file.length < 16) {
      throw Object.assign(new Error(`'${path}' has ${file.length} bytes; the demo needs at least 16`), {
        code: 'ERR_TOO_SMALL',
      });
    }
    console.log(
      `\n${pc.bold('memmap')} on ${pc.cyan(file.path)}: ${bytes(file.length)} on ${file.filesystem}, ` +
        `Node ${process.versions.node}, ${file.buffer.constructor.name}`,
    );
    section('The first bytes, read in place', describeHeader(file));
    section('Random 8-byte reads', randomReads(file));
    section('Counting and finding bytes', countAndFind(file.path));
  });
  withCopy(path, (copy) => {
    section(`Editing a copy of ${basename(path)}`, [...editThroughMap(copy), ...copyOnWrite(copy)]);
    section('Which pages are in memory', presence(copy));
  });
}

/** `using file = ...` on a Node that has the syntax. */
function using(resource, body) {
  try {
    return body(resource);
  } finally {
    resource[Symbol.dispose]();
  }
}

try {
  main();
} catch (error) {
  // A missing or unreadable file is the reader's to mend: one line, no stack.
  if (error.code === undefined) throw error;
  console.error(pc.red(error.message));
  process.exitCode = 1;
}
