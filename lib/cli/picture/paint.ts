// How a cell is painted that stands for pages of several states. The script of the HTML page
// does the same, with the same numbers (html-map.ts).
import { type Cell, IN_MEMORY, type PageState, STATES, fill } from './picture.js';

/** `over` is laid on `under`. */
export interface Paint {
  readonly over: PageState;
  readonly under: PageState;
  /** 0 to 1: the opacity of `over`. In steps, so that neighbours are often equal. */
  readonly alpha: number;
}

/** What is in memory in part is seen, however little it is; and it never looks like all. */
export const OPACITY = {
  /** From nothing to all. */
  steps: 8,
  least: 0.2,
  most: 0.8,
} as const;

function alphaOf(share: number): number {
  if (share === 0 || share === 1) return share;
  const { steps, least, most } = OPACITY;
  const step = Math.min(steps - 1, Math.max(1, Math.round(share * steps)));
  return least + ((most - least) * (step - 1)) / (steps - 2);
}

/** What is in memory of the cell, by its most frequent state, on what is not, by the most frequent of those. */
export function paintOf(cell: Cell): Paint {
  const alpha = alphaOf(fill(cell));
  let [over, under]: [PageState | undefined, PageState | undefined] = [undefined, undefined];
  let [mostOver, mostUnder] = [0, 0];
  for (const state of STATES) {
    const bytes = cell.shares.get(state) ?? 0;
    if (IN_MEMORY.has(state)) {
      if (bytes > mostOver) [over, mostOver] = [state, bytes];
    } else if (bytes > mostUnder) [under, mostUnder] = [state, bytes];
  }
  return { over: over ?? under ?? 'absent', under: under ?? over ?? 'absent', alpha };
}

export function samePaint(one: Paint, other: Paint): boolean {
  return one.over === other.over && one.under === other.under && one.alpha === other.alpha;
}
