// Colours, and how much of one lies on another: the same for pictures that this process draws and
// for the maps that the HTML page draws in the browser. It imports nothing.

/** Red, green, blue: 0 to 255 each. */
export type Rgb = readonly [red: number, green: number, blue: number];

export function rgbOf(color: string): Rgb {
  const number = Number.parseInt(color.slice(1), 16);
  return [number >> 16, (number >> 8) & 0xff, number & 0xff];
}

/** `over` laid on `under`, `alpha` of 0 to 1 opaque; as browsers do it. */
export function blend(over: Rgb, under: Rgb, alpha: number): Rgb {
  const part = (index: 0 | 1 | 2): number => Math.round(under[index] + (over[index] - under[index]) * alpha);
  return [part(0), part(1), part(2)];
}

/** What is in memory in part is seen, however little it is; and it never looks like all. */
const OPACITY = {
  /** From nothing to all. */
  steps: 8,
  least: 0.2,
  most: 0.8,
} as const;

/** The opacity of a share of 0 to 1. */
export function alphaOf(share: number): number {
  if (share === 0 || share === 1) return share;
  const { steps, least, most } = OPACITY;
  const step = Math.min(steps - 1, Math.max(1, Math.round(share * steps)));
  return least + ((most - least) * (step - 1)) / (steps - 2);
}
