// Files that are replaced, truncated, grown and removed, and a client that knows each byte that they may ever have had.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { KINDS } from './servers.mjs';

const PROGRAM = new URL('serving-process.mjs', import.meta.url);
const PATTERN = 2 ** 16;
const LENGTHS = [0, 5, 4096, 70_000, 300_000, 2 ** 20 + 5, 2 ** 22];
export const NAMES = ['a.bin', 'b.bin', 'c.bin'];

/** No byte is 0: a zero was never in a file. The first two name the version. */
function patternOf(version) {
  const bytes = Buffer.alloc(PATTERN);
  for (let i = 0; i < PATTERN; i++) bytes[i] = 1 + ((i * 7 + version * 31 + (i >> 8) * (version % 13)) % 255);
  bytes[0] = 1 + (version % 255);
  bytes[1] = 1 + (Math.floor(version / 255) % 255);
  return bytes;
}

/** `length` bytes of a version from `offset` on. */
function contentOf(version, offset, length) {
  const pattern = patternOf(version);
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length; ) done += pattern.copy(bytes, done, (offset + done) % PATTERN, Math.min(PATTERN, ((offset + done) % PATTERN) + length - done));
  return bytes;
}

/** Throws if a byte is not of the version that the first bytes name. */
export function verifyBytes(body) {
  if (body.length < 2) {
    if (body.includes(0)) throw new Error('a zero');
    return;
  }
  const version = body[0] - 1 + (body[1] - 1) * 255;
  if (!body.equals(contentOf(version, 0, body.length))) {
    const expected = contentOf(version, 0, body.length);
    const at = body.findIndex((byte, i) => byte !== expected[i]);
    throw new Error(`byte ${at} of ${body.length} is ${body[at]}, but ${expected[at]} in version ${version}`);
  }
}

/** Changes the files until `stop()`: steps(random) -> how many of each kind. */
export function changeFiles(folder, random) {
  const files = NAMES.map((name) => ({ path: join(folder, name), version: 0, length: 0 }));
  const counts = { replaced: 0, truncated: 0, grown: 0, removed: 0 };
  let last = 0;
  const pick = (list) => list[Math.floor(random() * list.length)];
  function replace(file) {
    last += 1;
    Object.assign(file, { version: last, length: pick(LENGTHS) });
    writeFileSync(`${file.path}.new`, contentOf(last, 0, file.length));
    renameSync(`${file.path}.new`, file.path);
    counts.replaced += 1;
  }
  const acts = [
    replace,
    replace,
    (file) => {
      file.length = Math.floor(random() * file.length);
      truncateSync(file.path, file.length);
      counts.truncated += 1;
    },
    (file) => {
      writeFileSync(file.path, contentOf(file.version, file.length, 100_000), { flag: 'a' });
      file.length += 100_000;
      counts.grown += 1;
    },
    (file) => {
      rmSync(file.path);
      counts.removed += 1;
      replace(file);
    },
  ];
  for (const file of files) replace(file);
  let isRunning = true;
  const run = (async () => {
    while (isRunning) {
      pick(acts)(pick(files));
      await setTimeout(random() * 10);
    }
  })();
  return async () => {
    isRunning = false;
    await run;
    return counts;
  };
}

/** The process that serves the folder. */
export async function servingProcess(folder) {
  const child = fork(PROGRAM, [folder]);
  const [ports] = await once(child, 'message');
  const get = (kind, path, options) => KINDS[kind].get(ports[kind], { path, ...options });
  const state = async () => {
    child.send('state');
    const [message] = await once(child, 'message');
    return message;
  };
  return { child, ports, get, state };
}
