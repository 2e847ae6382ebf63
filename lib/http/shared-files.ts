// The files that are open for requests: while they are in use, and shortly after.
import { type BigIntStats, statSync } from 'node:fs';
import { FileBacking } from '../file/file-backing.js';
import type { FileMapping } from '../file/file-mapping.js';
import { type PathName, absolutePath } from '../internal/path.js';
import { memoryOf } from '../mem/mapping.js';
import type { Content } from './content.js';
import { MappedContent } from './mapped-content.js';
import { SharedFile } from './shared-file.js';

/** Milliseconds: a file that nobody asked for is closed after this time, at the latest after twice as long. */
const IDLE = 2000;
/** Files that stay open while no request uses them. */
const MOST_IDLE = 64;

const byPath = new Map<string, SharedFile>();
const byMapping = new WeakMap<FileMapping, SharedFile>();
/** All that may be idle. */
const open = new Set<SharedFile>();
let timer: NodeJS.Timeout | undefined;

function closeIdle(): void {
  for (const file of open) {
    if (file.used || !file.isIdle) file.used = false;
    else forget(file);
  }
  if (open.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}

function remember(file: SharedFile): SharedFile {
  if (open.size >= MOST_IDLE) {
    for (const other of open) {
      if (other.isIdle) forget(other);
      if (open.size < MOST_IDLE) break;
    }
  }
  open.add(file);
  timer ??= setInterval(closeIdle, IDLE).unref();
  return file;
}

function forget(file: SharedFile): void {
  open.delete(file);
  for (const [key, other] of byPath) if (other === file) byPath.delete(key);
  file.drop();
}

const keyOf = (path: PathName): string => (typeof path === 'string' ? path : `/\0${path.toString('latin1')}`);

function statOf(path: PathName): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined; // to open it says why
  }
}

/** The file at a path, as it is now. Throws as mapFile(). The caller releases it. */
export function fileAt(name: PathName): Content {
  const path = absolutePath(name);
  const key = keyOf(path);
  const stats = statOf(path);
  const known = byPath.get(key);
  if (known !== undefined) {
    if (stats !== undefined && known.version.isOf(stats)) return known.retain();
    forget(known);
  }
  const file = remember(SharedFile.open(path));
  byPath.set(key, file);
  return file.retain();
}

/**
 * The bytes of a mapping, which outlive its close(). The caller releases them.
 *
 * @throws {StateError} ERR_MEMMAP_CLOSED
 */
export function contentOf(mapping: FileMapping): Content {
  const { pages, backing } = memoryOf(mapping);
  pages.open();
  const known = byMapping.get(mapping);
  if (known !== undefined && open.has(known)) {
    if (known.size === mapping.length && known.isCurrent) return known.retain();
    forget(known);
  }
  if (!(backing instanceof FileBacking) || backing.source.copies) return new MappedContent(mapping);
  let file: SharedFile;
  try {
    const { offset } = backing.source;
    const way = backing.identity.reach(pages.descriptor, pages.address);
    file = SharedFile.open(mapping.path, { offset, length: mapping.length }, () => backing.identity.openAgain('r', way));
  } catch {
    // Nothing leads to the file any more.
    return new MappedContent(mapping);
  }
  remember(file);
  byMapping.set(mapping, file);
  return file.retain();
}
