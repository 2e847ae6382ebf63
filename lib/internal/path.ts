// Paths of files: Linux permits any bytes in a name except NUL and the slash, not only UTF-8.
import { isUtf8 } from 'node:buffer';
import { readlinkSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { isUint8Array } from './realms/kinds.js';
import { invalidType, validatePath } from './validate.js';

/** A path: a string if its bytes are UTF-8, otherwise the bytes. */
export type PathName = string | Buffer;

const SLASH = 0x2f;

/** A path as text, as `node:fs` shows it in errors: each invalid byte becomes U+FFFD. */
export function shownPath(path: string | Uint8Array): string {
  return typeof path === 'string' ? path : Buffer.from(path.buffer, path.byteOffset, path.byteLength).toString();
}

/** Throws unless it is a string, a Buffer or another Uint8Array, is not empty, and has no null byte. */
export function validateFileName(value: unknown, name: string): asserts value is string | Uint8Array {
  if (typeof value === 'string') {
    validatePath(value, name);
  } else {
    if (!isUint8Array(value)) throw invalidType(name, 'of type string or a Uint8Array', value);
    if (value.length === 0 || value.includes(0)) validatePath('', name);
  }
}

/** The bytes of a path as a string, or a copy of them if they are not UTF-8. */
export function pathName(bytes: Uint8Array): PathName {
  const copy = Buffer.from(bytes);
  return isUtf8(copy) ? copy.toString() : copy;
}

/** The path, starting at the root. The bytes of a path that is not UTF-8 stay as they are. */
export function absolutePath(path: PathName): PathName {
  if (typeof path === 'string' ? isAbsolute(path) : path[0] === SLASH) return path;
  const folder = process.cwd();
  // process.cwd() has lost the bytes of names that are not UTF-8.
  if (typeof path === 'string' && !folder.includes('\uFFFD')) return resolve(path);
  const start = readlinkSync('/proc/self/cwd', { encoding: 'buffer' });
  return pathName(Buffer.concat([start, Buffer.from('/'), Buffer.from(path as string)]));
}

/** The scopes of Node's permission model, and the names that its errors give them. */
const PERMISSION = { 'fs.read': 'FileSystemRead', 'fs.write': 'FileSystemWrite' } as const;

interface Permission {
  has(scope: string, reference: string | Buffer): boolean;
}

/** Whether this process runs under `node --permission`. */
export function isRestricted(): boolean {
  return 'permission' in process && process.permission !== undefined;
}

/**
 * Throws, as `node:fs` does, if Node's permission model denies one of the accesses to the file: the addon opens files
 * without asking it.
 */
export function demandAccess(path: string | Uint8Array, ...scopes: readonly (keyof typeof PERMISSION)[]): void {
  if (!isRestricted()) return;
  const { permission } = process as unknown as { readonly permission: Permission };
  const resource = withoutDots(absolutePath(typeof path === 'string' ? path : pathName(path)));
  for (const scope of scopes) {
    if (permission.has(scope, resource)) continue;
    const shown = shownPath(resource);
    const error = new Error(`Access to '${shown}' is restricted. Start Node with --allow-${scope.replace('.', '-')}=${shown} to permit it`);
    throw Object.assign(error, { code: 'ERR_ACCESS_DENIED', permission: PERMISSION[scope], resource: shown });
  }
}

/** The path without '..', which would lead out of a folder that is permitted. */
function withoutDots(path: PathName): PathName {
  return typeof path === 'string' ? resolve(path) : Buffer.from(resolve(path.toString('latin1')), 'latin1');
}
