// What the caller names to be sent.
import { FileMapping } from '../file/file-mapping.js';
import { locateFile } from '../file/open-file.js';
import type { PathName } from '../internal/path.js';
import { invalidType } from '../internal/validate.js';
import type { Content } from './content.js';
import { contentOf, fileAt } from './shared-files.js';

/** A mapped file, or the path of a file: also as the bytes of a name that is not UTF-8, or as a `file:` URL. */
export type Servable = FileMapping | string | Uint8Array | URL;

/** Throws unless it is one. Opens nothing. */
export function servable(file: unknown): FileMapping | PathName {
  if (file instanceof FileMapping) return file;
  if (typeof file !== 'string' && !(file instanceof Uint8Array) && !(file instanceof URL)) {
    throw invalidType('file', 'a FileMapping, a path or a file: URL', file);
  }
  return locateFile(file).path;
}

/** The caller releases it. */
export function openContent(file: FileMapping | PathName): Content {
  return file instanceof FileMapping ? contentOf(file) : fileAt(file);
}
