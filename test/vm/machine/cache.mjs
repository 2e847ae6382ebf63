// Things that take a while to build, kept in a folder until what they are made of changes.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A short name for a value: equal for equal values only. */
export function digest(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(Buffer.isBuffer(part) ? part : JSON.stringify(part)).update('\0');
  return hash.digest('hex').slice(0, 24);
}

/**
 * The folder `name` of the cache, filled by make(folder) unless it was made of the same. Either
 * all of it is there or nothing: what fails half-way is begun again the next time.
 */
export async function keep(cache, name, madeOf, make) {
  const folder = join(cache, name);
  const stamp = join(folder, 'made-of');
  const wanted = digest(madeOf);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return folder;
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  await make(unfinished);
  writeFileSync(join(unfinished, 'made-of'), wanted);
  rmSync(folder, { recursive: true, force: true });
  renameSync(unfinished, folder);
  return folder;
}
