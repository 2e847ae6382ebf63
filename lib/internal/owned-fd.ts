// Descriptors that objects own: the net under close().
import { binding } from './binding.js';

const forgotten = new FinalizationRegistry<number>((fd) => binding.closeFd(fd));

/** `fd`, which the thread holds, closes with `owner`. */
export function own(owner: object, fd: number): void {
  forgotten.register(owner, fd, owner);
}

export function disown(owner: object, fd: number): void {
  forgotten.unregister(owner);
  binding.closeFd(fd);
}

/** The number is something else's by now: it stays open. */
export function forsake(owner: object, fd: number): void {
  forgotten.unregister(owner);
  binding.giveFd(fd);
}
