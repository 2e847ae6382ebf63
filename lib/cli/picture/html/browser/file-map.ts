// The map of a file's pages: drawn, pointed at, moved through.
import type { FileData } from '../page-data.js';
import type { Colors } from './colors.js';
import { element, occurring, swatch } from './element.js';
import { bytes, count, percent, range } from './format.js';
import { Grid } from './grid.js';
import type { Runs } from './runs.js';
import type { Tip } from './tip.js';

/** The parts of the page that all maps use. */
export interface PageParts {
  readonly tip: Tip;
  readonly colors: Colors;
}

export class FileMap {
  readonly #runs: Runs;
  readonly #page: PageParts;
  readonly #canvas: HTMLCanvasElement;
  readonly #cursor = element('div', { class: 'cursor', hidden: true });
  readonly #map: HTMLElement;
  readonly #scale = element('span');
  readonly #before = element('button', { type: 'button', click: () => this.#pan(-1) }, '← Before');
  readonly #after = element('button', { type: 'button', click: () => this.#pan(1) }, 'After →');
  readonly #views: HTMLElement;
  /** What belongs to the card. */
  readonly elements: readonly HTMLElement[];
  /** Pixels that nobody sees are not kept. */
  isVisible = false;
  /** The pages that are shown. */
  #first: number;
  #pages: number;
  #width = 0;
  /** Undefined until the width is known. */
  #grid: Grid | undefined;
  /** A cell; -1: none. */
  #selected = -1;

  constructor({ title }: FileData, runs: Runs, page: PageParts) {
    this.#runs = runs;
    this.#page = page;
    this.#first = runs.firstPage;
    this.#pages = runs.pages;
    this.#canvas = element('canvas', { tabindex: '0', role: 'application', 'aria-roledescription': 'map of pages', 'aria-describedby': 'keys', 'aria-label': title });
    this.#map = element('div', { class: 'map' }, this.#canvas, this.#cursor);
    this.#views = element('span', { class: 'views', hidden: true }, this.#before, this.#after, element('button', { type: 'button', click: () => this.#viewAll() }, 'Whole file'));
    this.elements = [this.#map, element('div', { class: 'foot' }, this.#scale, this.#views)];
    this.#listen();
  }

  /** Lays the cells out; draw() paints them where they are seen. */
  fit(width: number): void {
    const grid = new Grid(this.#runs, this.#first, this.#pages, width);
    this.#width = width;
    this.#grid = grid;
    this.#map.style.height = `${grid.height}px`;
    this.#select(-1);
    const { pageSize } = this.#runs;
    const { pagesInCell } = grid;
    const part = this.#pages < this.#runs.pages ? `Pages ${count(this.#first)} – ${count(this.#first + this.#pages - 1)}. ` : '';
    const square =
      pagesInCell === 1
        ? `A square is a page of ${bytes(pageSize)}.`
        : `A square is ${count(pagesInCell)} pages, ${bytes(pagesInCell * pageSize)}. Double-click or press Enter to look closer.`;
    this.#scale.textContent = part + square;
    this.#views.hidden = part === '';
    this.#before.disabled = this.#first === this.#runs.firstPage;
    this.#after.disabled = this.#first + this.#pages === this.#runs.endPage;
    this.draw();
  }

  draw(): void {
    if (this.#grid === undefined) return;
    if (this.isVisible) this.#grid.draw(this.#canvas, this.#page.colors);
    else this.#canvas.width = 0;
  }

  /** Shows pages [first, first + pages), moved to where the file has them. */
  #view(first: number, pages: number): void {
    this.#pages = Math.min(pages, this.#runs.pages);
    this.#first = Math.max(this.#runs.firstPage, Math.min(first, this.#runs.endPage - this.#pages));
    this.fit(this.#width);
  }

  #viewAll(): void {
    this.#view(this.#runs.firstPage, this.#runs.pages);
  }

  #pan(direction: 1 | -1): void {
    this.#view(this.#first + direction * Math.ceil(this.#pages / 2), this.#pages);
  }

  /** The selected cell, and what is around it, in more cells. */
  #closer(grid: Grid): void {
    if (this.#selected < 0 || grid.pagesInCell === 1) return;
    const { first } = grid.cell(this.#selected);
    const pages = Math.max(grid.count, Math.ceil(this.#pages / 8));
    this.#view(first - Math.floor(pages / 2), pages);
    if (this.#grid !== undefined) this.#select(this.#grid.cellOf(first), true);
  }

  #listen(): void {
    const canvas = this.#canvas;
    const point = ({ offsetX, offsetY }: PointerEvent): void => this.#select(this.#grid?.hit(offsetX, offsetY) ?? -1);
    canvas.addEventListener('pointermove', point);
    canvas.addEventListener('pointerdown', point);
    canvas.addEventListener('pointerleave', ({ pointerType }) => {
      if (pointerType !== 'touch') this.#select(-1);
    });
    canvas.addEventListener('dblclick', () => this.#grid !== undefined && this.#closer(this.#grid));
    canvas.addEventListener('blur', () => this.#select(-1));
    canvas.addEventListener('focus', () => {
      if (canvas.matches(':focus-visible')) this.#select(Math.max(0, this.#selected), true);
    });
    canvas.addEventListener('keydown', (event) => this.#grid !== undefined && this.#press(event, this.#grid));
  }

  #press(event: KeyboardEvent, grid: Grid): void {
    const { key, shiftKey, ctrlKey, metaKey, altKey } = event;
    const at = this.#selected;
    const last = grid.count - 1;
    const moves: Record<string, number> = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - grid.columns, ArrowDown: at + grid.columns, Home: 0, End: last };
    const move = moves[key];
    if (ctrlKey || metaKey || altKey) return;
    if (shiftKey && (key === 'ArrowLeft' || key === 'ArrowRight')) this.#select(this.#change(grid, key === 'ArrowLeft' ? -1 : 1), true);
    else if (move !== undefined) this.#select(Math.min(last, Math.max(0, move)), true);
    else if (key === 'Enter') this.#closer(grid);
    else if (key === 'PageUp' || key === 'PageDown') this.#pan(key === 'PageUp' ? -1 : 1);
    else if (key === 'Escape' && this.#pages < this.#runs.pages) this.#viewAll();
    else if (key === 'Escape') this.#select(-1);
    else return;
    event.preventDefault();
  }

  /** The next cell in which a run begins; backwards, the one before. */
  #change(grid: Grid, direction: 1 | -1): number {
    const runs = this.#runs;
    const { from, to } = grid.cell(Math.max(0, this.#selected));
    const run = direction > 0 ? runs.at(to - 1) + 1 : runs.at(Math.max(runs.start, from - 1));
    return grid.cellOf(Math.floor(runs.startOf(Math.min(run, runs.count - 1)) / runs.pageSize));
  }

  /** Marks a cell, and announces it; -1: none. */
  #select(index: number, isAloud = false): void {
    const [grid, cursor] = [this.#grid, this.#cursor];
    this.#selected = index;
    cursor.hidden = index < 0;
    if (index < 0 || grid === undefined) {
      this.#page.tip.hide();
      return;
    }
    const { x, y, width, height } = grid.place(index);
    Object.assign(cursor.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
    if (isAloud) cursor.scrollIntoView({ block: 'nearest' });
    this.#page.tip.show(cursor.getBoundingClientRect(), this.#describe(grid, index), isAloud);
  }

  #describe(grid: Grid, index: number): HTMLElement[] {
    const runs = this.#runs;
    const { first, end, from, to } = grid.cell(index);
    const muted = (text: string): HTMLElement => element('div', { class: 'muted number' }, text);
    const shares = occurring(runs.shares(from, to));
    const rows = shares.map(({ state, number }) => element('tr', {}, element('td', {}, swatch(state), state.meaning), element('td', { class: 'number' }, percent(number, to - from))));
    const lines = [
      element('div', {}, element('b', {}, range(from, to))),
      muted(`bytes ${count(from)} – ${count(to - 1)}`),
      muted(end - first === 1 ? `page ${count(first)}` : `pages ${count(first)} – ${count(end - 1)} (${count(end - first)})`),
      element('table', {}, ...rows),
    ];
    const run = runs.at(from);
    const [start, finish] = [Math.floor(runs.startOf(run) / runs.pageSize), Math.ceil(runs.startOf(run + 1) / runs.pageSize)];
    if (rows.length === 1 && finish - start > end - first) lines.push(muted(`as are pages ${count(start)} – ${count(finish - 1)}`));
    return lines;
  }
}
