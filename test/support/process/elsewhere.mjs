// Files as other processes see and change them.
import { execFileSync } from 'node:child_process';

/** The bytes of a file, read by another process. */
export function readElsewhere(path) {
  return execFileSync('cat', ['--', path], { maxBuffer: 2 ** 28 });
}

/** Gives a file another length, in another process. */
export function truncateElsewhere(path, length) {
  execFileSync('truncate', ['-s', String(length), path]);
}

/** Writes bytes into a file, in another process. */
export function writeElsewhere(path, offset, bytes) {
  execFileSync('dd', [`of=${path}`, 'conv=notrunc', 'oflag=seek_bytes', `seek=${offset}`, 'status=none'], {
    input: bytes,
    // The sanitizer that is preloaded into Node refuses an allocation of dd's.
    env: { ...process.env, LD_PRELOAD: '' },
  });
}
