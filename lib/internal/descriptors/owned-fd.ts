// Descriptors that objects own: closed by the garbage collector if close() was not called.
import { binding } from '../binding.js';

const forgotten = new FinalizationRegistry<number>((fd) => binding.closeFd(fd));

/** `fd`, which the thread holds, closes with `owner`. */
export function own(owner: object, fd: number): void {
  forgotten.register(owner, fd, owner);
}

export function disown(owner: object, fd: number): void {
  forgotten.unregister(owner);
  binding.closeFd(fd);
}

/** Other code has closed the number, and it now refers to something else: leaves it open. */
export function forsake(owner: object, fd: number): void {
  forgotten.unregister(owner);
  binding.giveFd(fd);
}
