// Remedies of the calls by which a file is opened, grown and mapped. Run only after a failure.
import { statSync, statfsSync } from 'node:fs';
import { binding } from '../internal/binding.js';
import type { PathName } from '../internal/path.js';
import { growRemedy, mapRemedy, openFilesRemedy } from '../internal/remedy.js';

const { O, MAP, PROT } = binding;

/** What was to be done with the file. */
export interface FileRequest {
  readonly path: PathName;
  readonly fd: number | undefined;
  readonly openFlags: number;
  readonly prot: number;
  readonly flags: number;
}

/** For open(2), fallocate(2), mmap(2) or another call that failed. `filesystem`: the name of its type, '' if it is unknown. */
export function fileRemedy(syscall: string, request: FileRequest, filesystem: string): (code: string) => string | undefined {
  if (syscall === 'open') return (code) => openRemedy(code, request);
  const huge = filesystem === 'hugetlbfs' ? hugePageSize(request) : undefined;
  if (syscall === 'fallocate') return (code) => growRemedy(code, huge);
  return (code) => noExec(code, request) ?? mapRemedy(request.flags, huge, request.prot)(code);
}

function openRemedy(code: string, { path, openFlags }: FileRequest): string | undefined {
  const writes = (openFlags & O.RDWR) !== 0;
  const readOnly = "to map it for reading only: access: 'read' or 'copy-on-write'";
  switch (code) {
    case 'EACCES':
      if (!writes) return 'This process may not read the file, or not search one of the folders that its path names';
      if ((openFlags & O.CREAT) !== 0 && !exists(path)) return 'This process may not create a file in that folder';
      return `This process may not both read and write the file, or not search one of the folders that its path names. If reading is enough, ${readOnly}`;
    case 'EPERM':
      return writes ? `The file is immutable or may only be appended to: lsattr shows it. If reading is enough, ${readOnly}` : undefined;
    case 'EROFS':
      return `The file system is mounted for reading only. If that is enough, ${readOnly}`;
    case 'ETXTBSY':
      return `The file is a program that runs, or a swap file. If reading is enough, ${readOnly}`;
    case 'EISDIR':
      return 'It is a directory; only files can be mapped';
    case 'ENXIO':
      return 'A socket, or a device without a driver, cannot be mapped';
    case 'ENOSPC':
      return 'The file system has no room for another file: df and df -i show it';
    case 'EDQUOT':
      return growRemedy(code);
    default:
      return openFilesRemedy(code);
  }
}

/** A file that cannot be looked at counts as one. */
function exists(path: PathName): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

function noExec(code: string, { prot, flags }: FileRequest): string | undefined {
  if (code !== 'EPERM' || (flags & MAP.HUGETLB) !== 0) return undefined;
  if ((prot & PROT.EXEC) !== 0) return 'The file system is mounted without permission to run programs: noexec';
  return (prot & PROT.WRITE) === 0 ? undefined : 'A seal of the memory forbids writable mappings';
}

/** Bytes in a page of the hugetlbfs that holds the file. */
function hugePageSize({ path, fd }: FileRequest): number | undefined {
  try {
    return statfsSync(fd === undefined ? path : `/proc/self/fd/${fd}`).bsize;
  } catch {
    return undefined;
  }
}
