// KeptDescriptor: the file of a mapping made of a descriptor, while the mapping is empty. Otherwise the addon
// keeps the descriptor with the pages.
import { binding } from '../internal/binding.js';
import { type FileId, identify, leadsTo, verified } from '../internal/descriptors/file-id.js';
import { disown, forsake, own } from '../internal/descriptors/owned-fd.js';
import type { PathName } from '../internal/path.js';
import { check } from '../internal/syscall.js';
import { descriptorRemedy } from './open-file.js';

export class KeptDescriptor {
  readonly #fd: number;
  readonly #file: FileId;

  /** Duplicates `fd`. @throws {SystemError} EMFILE, EBADF */
  constructor(fd: number, path: PathName) {
    const remedy = (code: string) => (code === 'EMFILE' ? descriptorRemedy : undefined);
    this.#fd = check(binding.dupFd(fd), 'fcntl', { path, remedy });
    own(this, this.#fd);
    this.#file = identify(this.#fd);
  }

  /** @throws {SystemError} EBADF if other code has closed it */
  get fd(): number {
    return verified(this.#fd, this.#file);
  }

  close(): void {
    if (leadsTo(this.#fd, this.#file)) disown(this, this.#fd);
    else forsake(this, this.#fd);
  }
}
