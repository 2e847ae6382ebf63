// The colours of pictures, in one place. States differ in lightness as well as in hue, so that they can
// be distinguished by colour-blind people and in print.
import type { PageState } from './picture.js';

/** '#rrggbb' each. */
export interface Theme {
  /** Behind everything. */
  readonly page: string;
  /** Behind a file. */
  readonly card: string;
  readonly line: string;
  readonly text: string;
  readonly muted: string;
  /** Focus, and the cell pointed at. */
  readonly accent: string;
  readonly warning: string;
  readonly warningText: string;
  readonly states: Readonly<Record<PageState, string>>;
}

export const LIGHT: Theme = {
  page: '#f5f6f8', card: '#ffffff', line: '#e1e5eb', text: '#171c26', muted: '#586174', accent: '#171c26',
  warning: '#fdf1d3', warningText: '#6d4a00',
  states: {
    dirty: '#e26112', writeback: '#904663', mapped: '#110480', resident: '#3a77db', swapped: '#feb702', evicted: '#a5afbb', absent: '#e6e9ef',
  },
};

export const DARK: Theme = {
  page: '#0e1116', card: '#161b22', line: '#2a313c', text: '#e8ebf0', muted: '#9aa4b5', accent: '#ffffff',
  warning: '#3a2d0c', warningText: '#f5d48a',
  states: {
    dirty: '#fe6707', writeback: '#c2849a', mapped: '#a9d2ff', resident: '#4690fa', swapped: '#f9d737', evicted: '#5e616d', absent: '#282f3a',
  },
};

/** '--page: #fff; … --dirty: #f00;' */
export function cssVariables({ states, ...rest }: Theme): string {
  return Object.entries({ ...rest, ...states }).map(([name, color]) => `--${name}: ${color};`).join(' ');
}
