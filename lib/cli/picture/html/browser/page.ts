// Puts cards and totals together, and finds files.
import type { FileData } from '../page-data.js';
import { Card } from './card.js';
import { Colors } from './colors.js';
import { STATES } from './data.js';
import { bar, element, swatch } from './element.js';
import { bytes, count, percent } from './format.js';
import { Tip } from './tip.js';

/** An element that html.ts puts into the page. */
function find(selector: string, within: ParentNode = document): HTMLElement {
  return within.querySelector(selector) as HTMLElement;
}

export class Page {
  readonly tip: Tip = new Tip();
  colors: Colors = new Colors();
  readonly #cards: readonly Card[];
  readonly #list = find('main');
  #width = 0;
  #ratio = 0;

  constructor(files: readonly FileData[]) {
    this.#cards = files.map((file) => new Card(file, this));
    this.#showTotals(files);
    this.#list.prepend(...this.#cards.map(({ box }) => box));
  }

  /** Draws the maps that are seen, now and after each change. */
  run(): void {
    this.#watchSize();
    this.#watchSeen();
    this.#watchColors();
    this.#watchFilter();
  }

  #showTotals(files: readonly FileData[]): void {
    const sum = (of: (file: FileData) => number): number => files.reduce((all, file) => all + of(file), 0);
    const counts = STATES.map((_state, i) => sum((file) => file.counts[i] ?? 0));
    const [all, inMemory] = [sum((file) => file.bytes), sum((file) => file.bytesInMemory)];
    const share = all > 0 ? ` (${percent(inMemory, all)})` : '';
    find('#totals').append(`${count(files.length)}${files.length === 1 ? ' file' : ' files'}, ${bytes(inMemory)} of ${bytes(all)} in memory${share}`);
    const header = find('header .wide');
    if (files.length > 1 && all > 0) header.append(bar(counts));
    const found = STATES.filter((_state, i) => (counts[i] ?? 0) > 0);
    const legend = found.map((state) => element('li', { title: state.meaning }, swatch(state), state.label));
    if (found.some(({ name }) => name === 'resident')) legend.push(element('li', {}, element('span', { class: 'swatch part' }), 'In part'));
    find('.legend').append(...legend);
    const doubtful = files.filter(({ doubt }) => doubt !== undefined).length;
    if (doubtful > 0 && files.length > 1) {
      const words = `${count(doubtful)} of ${count(files.length)} files. Each of them says why.`;
      header.append(element('p', { class: 'doubt', style: 'margin-top: 16px' }, element('b', {}, 'Unreliable: '), words));
    }
  }

  /** Gives all maps the width that a card has for them. All cards have the padding of the first. */
  #fit(): void {
    const [first] = this.#cards;
    const shown = this.#cards.find(({ box }) => !box.hidden)?.box;
    if (first === undefined || shown === undefined) return;
    const { paddingLeft, paddingRight } = getComputedStyle(first.box);
    const width = shown.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight);
    if (!(width > 0) || (width === this.#width && devicePixelRatio === this.#ratio)) return;
    [this.#width, this.#ratio] = [width, devicePixelRatio];
    for (const { map } of this.#cards) map?.fit(width);
  }

  #watchSize(): void {
    if (this.#cards.length === 0) return;
    this.#fit();
    new ResizeObserver(() => this.#fit()).observe(this.#list);
    addEventListener('resize', () => this.#fit());
    addEventListener('scroll', () => this.tip.scrolled(), { passive: true });
  }

  #watchSeen(): void {
    const maps = new Map(this.#cards.map(({ box, map }) => [box as Element, map]));
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          const map = maps.get(target);
          if (map === undefined || map.isVisible === isIntersecting) continue;
          map.isVisible = isIntersecting;
          map.draw();
        }
      },
      { rootMargin: '400px 0px' },
    );
    for (const { box } of this.#cards) observer.observe(box);
    addEventListener('beforeprint', () => {
      for (const { map } of this.#cards) {
        if (map === undefined) continue;
        map.isVisible = true;
        map.draw();
      }
    });
  }

  #watchColors(): void {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.colors = new Colors();
      for (const { map } of this.#cards) map?.draw();
    });
  }

  #watchFilter(): void {
    const cards = this.#cards;
    const [box, none] = [find('.filter'), find('.none')];
    const [input, found] = [find('input', box) as HTMLInputElement, find('output', box)];
    box.hidden = cards.length < 4;
    none.hidden = cards.length > 0;
    if (cards.length === 0) none.textContent = 'No files.';
    input.addEventListener('input', () => {
      const words = input.value.toLowerCase().split(/\s+/);
      for (const card of cards) card.box.hidden = !words.every((word) => card.text.includes(word));
      const left = cards.filter((card) => !card.box.hidden).length;
      found.textContent = input.value.trim() === '' ? '' : `${count(left)} of ${count(cards.length)}`;
      none.hidden = left > 0;
      this.#fit();
    });
  }
}
