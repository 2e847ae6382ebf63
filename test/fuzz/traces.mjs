// What calls could leave behind, as the kernel shows it.
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { status } from '../support/proc.mjs';

const MiB = 2 ** 20;
/** How often the collector runs: buffers go in a turn of their own after each. */
const ROUNDS = 4;
/**
 * What may come on top from the second look to the last: heaps and code of the engine in mappings, and
 * in memory.
 */
const SLACK = { descriptors: 0, mappings: 64, resident: 24 * MiB };

/** How many are open. */
export function descriptors() {
  return readdirSync('/proc/self/fd').length;
}

/** Bytes, but for pages of files: the program itself is among them. */
export function resident() {
  return status('RssAnon') + status('RssShmem');
}

/** What is left when the collector has taken all it can. */
export async function look() {
  for (let i = 0; i < ROUNDS; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const paths = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return 'closed';
    }
  });
  return {
    descriptors: paths.length,
    mappings: readFileSync('/proc/self/maps', 'latin1').split('\n').length,
    resident: resident(),
    open: paths.filter((path) => /memmap|memfd|socket|pidfd|dev\/zero/.test(path)),
  };
}

/** What has grown, or undefined. The first look is at a process that still warms up. */
export function leaks([, first, ...rest]) {
  const last = rest.at(-1);
  if (last === undefined) return undefined;
  const grown = Object.entries(SLACK).filter(([what, slack]) => last[what] > first[what] + slack);
  if (grown.length === 0) return undefined;
  return grown.map(([what]) => `${what} grew from ${first[what]} to ${last[what]}`).join(', ');
}
