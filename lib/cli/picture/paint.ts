// How a cell with pages of several states is painted. The script of the HTML page
// chooses the same (html/browser/colors.ts).
import { alphaOf } from './blend.js';
import { type Cell, IN_MEMORY, type PageState, STATES, fill } from './picture.js';

/** `over` is painted on `under`. */
export interface Paint {
  readonly over: PageState;
  readonly under: PageState;
  /** 0 to 1: the opacity of `over`. In steps, so that neighbours are often equal. */
  readonly alpha: number;
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
