// The card of a file: words, bar, map.
import type { FileData } from '../page-data.js';
import { bar, element, occurring, swatch } from './element.js';
import { FileMap, type PageParts } from './file-map.js';
import { bytes, count, percent } from './format.js';
import { Runs } from './runs.js';

export class Card {
  readonly box: HTMLElement;
  /** Undefined for a file without pages. */
  readonly map: FileMap | undefined;
  /** What the filter looks at. */
  readonly text: string;

  constructor(file: FileData, page: PageParts) {
    const { title, doubt, counts } = file;
    const runs = new Runs(file);
    this.text = title.toLowerCase();
    const slash = title.lastIndexOf('/') + 1;
    const name = element('h2', { title }, element('span', { class: 'folder' }, title.slice(0, slash)), title.slice(slash));
    this.box = element('section', { class: 'file' }, element('div', { class: 'head' }, name, shareOf(file, runs)), sumsOf(file, runs));
    if (doubt !== undefined) this.box.append(element('p', { class: 'doubt', role: 'note' }, element('b', {}, 'Unreliable: '), doubt));
    if (runs.pages === 0) return;
    this.map = new FileMap(file, runs, page);
    this.box.append(bar(counts), ...this.map.elements);
  }
}

function shareOf({ pagesInMemory }: FileData, { pages }: Runs): HTMLElement | undefined {
  if (pages === 0) return undefined;
  return element('div', { class: 'share number' }, percent(pagesInMemory, pages), ' ', element('small', {}, 'in memory'));
}

function sumsOf(file: FileData, { pages }: Runs): HTMLElement {
  if (pages === 0) return element('div', { class: 'sums' }, 'Empty: it has no pages.');
  const parts = occurring(file.counts).map(({ state, number }) => element('span', {}, swatch(state), `${count(number)} ${state.label.toLowerCase()}`));
  const inMemory = `${bytes(file.bytesInMemory)} of ${bytes(file.bytes)}`;
  return element('div', { class: 'sums number' }, element('span', {}, inMemory), element('span', {}, count(pages) + (pages === 1 ? ' page' : ' pages')), ...parts);
}
