// Memory of memmap/sys at addresses that the test knows.
import { MAP, PAGE_SIZE, PROT, mmap, munmap } from 'memmap/sys';
import { hole } from './addresses.mjs';

/** For the calling describe block: returns at(flags?, options?) -> { address, buffer, bytes }, unmapped after the test. */
export function memoryAt() {
  const mapped = [];
  afterEach(() => {
    for (const buffer of mapped.splice(0)) munmap(buffer);
  });
  return (flags = MAP.PRIVATE | MAP.ANONYMOUS, { prot = PROT.READ | PROT.WRITE, fd = -1, length = 4 * PAGE_SIZE } = {}) => {
    const address = hole(length);
    const buffer = mmap(address, length, prot, flags, fd, 0);
    mapped.push(buffer);
    return { address, buffer, bytes: new Uint8Array(buffer) };
  };
}
