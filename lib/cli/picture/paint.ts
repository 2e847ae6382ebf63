// How a cell with pages of several states is painted. The script of the HTML page does the same with
// the same numbers (html/map.ts).
import { type Cell, IN_MEMORY, type PageState, STATES, fill } from './picture.js';

/** `over` is painted on `under`. */
export interface Paint {
  readonly over: PageState;
  readonly under: PageState;
  /** 0 to 1: the opacity of `over`. In steps, so that neighbours are often equal. */
  readonly alpha: number;
}

/** A cell that is partly in memory is visible however small the part is, and never looks full. */
export const OPACITY = {
  /** The number of steps from empty to full. */
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

/** The most frequent state in memory, painted on the most frequent state that is not. */
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
