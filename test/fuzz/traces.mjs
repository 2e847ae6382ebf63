// What calls could leave behind, as the kernel shows it.
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { status } from '../support/kernel/proc.mjs';

const MiB = 2 ** 20;
/** How often the collector runs: buffers go in a turn of their own after each. */
const ROUNDS = 4;
/**
 * What may come on top from the second look to the last: heaps and code of the engine in mappings, and
 * in memory. The sanitizer's allocator keeps ever more of its own, where memory is flat without it.
 */
const SLACK = /libasan/.test(process.env.LD_PRELOAD ?? '')
  ? { descriptors: 0, mappings: 512, resident: 96 * MiB }
  : { descriptors: 0, mappings: 64, resident: 16 * MiB };

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

/**
 * What has grown, or undefined. The first look is at a process that still warms up. What grew in one step only, as the
 * heap of malloc(3) does, beyond all that was seen before, was no leak of calls that all looks are full of.
 */
export function leaks([first, ...looks]) {
  if (looks.length < 4) return undefined;
  const grown = Object.entries(SLACK).filter(([what, slack]) => {
    let most = Math.max(first[what], looks[0][what]);
    let steps = 0;
    for (const { [what]: now } of looks) {
      if (now - most > slack / 4) steps += 1;
      most = Math.max(most, now);
    }
    return looks.at(-1)[what] - looks[0][what] > slack && (slack === 0 || steps > 1);
  });
  if (grown.length === 0) return undefined;
  return grown.map(([what]) => `${what} grew from ${looks[0][what]} to ${looks.at(-1)[what]}`).join(', ');
}
