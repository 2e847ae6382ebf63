// Writing through the map, with another process as the witness.
import { spawnSync } from 'node:child_process';
import { constants, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mapFile } from 'memmap';
import pc from 'picocolors';
import { duration } from './text.mjs';

/** Runs `body` on a temporary copy of the file. */
export function withCopy(path, body) {
  const directory = mkdtempSync(join(tmpdir(), 'memmap-demo-'));
  try {
    const copy = join(directory, 'copy');
    copyFileSync(path, copy, constants.COPYFILE_FICLONE);
    body(copy);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The first bytes as another process reads them: past the page cache if the disk lets it. */
function readElsewhere(path, length) {
  const direct = spawnSync('dd', [`if=${path}`, 'iflag=direct', 'bs=4096', 'count=1', 'status=none']);
  if (direct.status === 0) return { text: direct.stdout.toString('latin1', 0, length), from: 'dd, from the disk itself' };
  const program = `process.stdout.write(require('node:fs').readFileSync(${JSON.stringify(path)}).subarray(0, ${length}))`;
  const child = spawnSync(process.execPath, ['-e', program]);
  return { text: child.stdout.toString('latin1'), from: 'another Node process' };
}

const verdict = (good, text) => (good ? pc.green(`✓ ${text}`) : pc.red(`✗ ${text}`));

function edit(path, access, text) {
  const file = mapFile(path, { access });
  try {
    const start = process.hrtime.bigint();
    file.bytes.write(text, 'latin1');
    file.flush({ offset: 0, length: text.length });
    return { inMap: file.bytes.toString('latin1', 0, text.length), time: Number(process.hrtime.bigint() - start) };
  } finally {
    file.close();
  }
}

export function editThroughMap(path) {
  const text = 'SHARED!!';
  const { inMap, time } = edit(path, 'read-write', text);
  const { text: onDisk, from } = readElsewhere(path, text.length);
  return [
    ['How', 'In the map', 'In the file', 'Says', ''],
    ['shared, flushed', inMap, onDisk, from, verdict(onDisk === text, `written and on disk in ${duration(time)}`)],
  ];
}

export function copyOnWrite(path) {
  const text = 'PRIVATE!';
  const before = readElsewhere(path, text.length).text;
  const { inMap } = edit(path, 'copy-on-write', text);
  const { text: onDisk, from } = readElsewhere(path, text.length);
  return [['copy-on-write', inMap, onDisk, from, verdict(inMap === text && onDisk === before, 'the file is untouched')]];
}
