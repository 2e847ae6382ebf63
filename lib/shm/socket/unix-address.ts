// The address of a Unix socket: a path, or an abstract name.
import { demandAccess } from '../../internal/path.js';
import { invalidType, invalidValue, outOfRange } from '../../internal/validate.js';

/** Bytes of sun_path in sockaddr_un, without the null byte that ends a path. */
const MAX_PATH = 107;

/** Throws if Node's permission model denies the access that a socket at this path needs. */
export function demandSocket(path: string): void {
  if (!path.startsWith('\0')) demandAccess(path, 'fs.read', 'fs.write');
}

/** The bytes of sun_path. */
export function socketAddress(path: unknown): Uint8Array {
  if (typeof path !== 'string') throw invalidType('path', 'of type string', path);
  const isAbstract = path.startsWith('\0');
  if (path.length === 0 || path.includes('\0', isAbstract ? 1 : 0)) {
    throw invalidValue('path', "must be a path, or '\\0' and an abstract name", path);
  }
  const address = Buffer.from(path);
  if (address.length > MAX_PATH) throw outOfRange('path', `at most ${MAX_PATH} bytes long`, `${address.length} bytes`);
  return address;
}
