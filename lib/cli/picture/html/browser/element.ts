// Elements of the page.
import type { StateData } from '../page-data.js';
import { STATES } from './data.js';
import { count, percent } from './format.js';

/** A listener, a text, true for an attribute without one; undefined and false for none. */
type Attributes = Readonly<Record<string, string | boolean | undefined | (() => void)>>;

/** An element; what is inside it, texts and elements. */
export function element<K extends keyof HTMLElementTagNameMap>(name: K, attributes: Attributes = {}, ...inside: readonly (string | Node | undefined)[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(key, value);
    else if (value === true) made.setAttribute(key, '');
    else if (value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...inside.filter((one) => one !== undefined));
  return made;
}

export const swatch = (state: StateData): HTMLElement => element('span', { class: `swatch ${state.name}` });

/** The states that occur, with a number for each. */
export function occurring(numbers: readonly number[]): { readonly state: StateData; readonly number: number }[] {
  return STATES.flatMap((state, i) => {
    const number = numbers[i] ?? 0;
    return number > 0 ? [{ state, number }] : [];
  });
}

/** All pages in one bar, by state. */
export function bar(counts: readonly number[]): HTMLElement {
  const all = counts.reduce((sum, one) => sum + one, 0);
  const shown = occurring(counts);
  const label = shown.map(({ state, number }) => `${state.label} ${percent(number, all)}`).join(', ');
  const made = element('div', { class: 'bar', role: 'img', 'aria-label': label });
  for (const { state, number } of shown) {
    const part = element('span', { class: state.name, title: `${state.label}: ${count(number)} pages, ${percent(number, all)}` });
    part.style.flexGrow = String((number / all) * 1000);
    made.append(part);
  }
  return made;
}
