// The colours of the theme that is in use.
import { type Rgb, alphaOf, blend, rgbOf } from '../../blend.js';
import { STATES } from './data.js';

export class Colors {
  readonly #states: readonly Rgb[];
  readonly #known = new Map<number, string>();

  constructor() {
    const style = getComputedStyle(document.documentElement);
    this.#states = STATES.map(({ name }) => rgbOf(style.getPropertyValue(`--${name}`).trim()));
  }

  /** Of a cell with such shares: what is in memory on what is not, as paint.ts has it. */
  of(shares: readonly number[]): string {
    let [inMemory, all, over, under, mostOver, mostUnder] = [0, 0, -1, -1, 0, 0];
    for (const [i, share] of shares.entries()) {
      all += share;
      if (STATES[i]?.inMemory === true) {
        inMemory += share;
        if (share > mostOver) [over, mostOver] = [i, share];
      } else if (share > mostUnder) [under, mostUnder] = [i, share];
    }
    const alpha = alphaOf(all === 0 ? 0 : inMemory / all);
    const key = (over + 1) * 1000 + (under + 1) * 100 + alpha;
    let color = this.#known.get(key);
    if (color === undefined) this.#known.set(key, (color = this.#mixed(over, under, alpha)));
    return color;
  }

  #mixed(over: number, under: number, alpha: number): string {
    const [top, bottom] = [this.#states[over < 0 ? under : over], this.#states[under < 0 ? over : under]];
    return `rgb(${blend(top as Rgb, bottom as Rgb, alpha).join(',')})`;
  }
}
