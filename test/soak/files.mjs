// The files of the soak: no byte of them is ever zero, as long as the file has it.

export const PAGE = 4096;
/** Bytes of a file that nobody has truncated. */
export const FULL = 64 * PAGE;

export function pattern(from, to) {
  return Buffer.from(Array.from({ length: to - from }, (_, i) => 1 + ((from + i) % 251)));
}
