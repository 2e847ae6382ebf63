// The cells of some pages of a file, in rows: where they are, and what is in them.
import type { Colors } from './colors.js';
import type { Runs } from './runs.js';

interface Pitch {
  readonly pitch: number;
  readonly gap: number;
}

const SMALLEST: Pitch = { pitch: 4, gap: 0 };
const PITCHES: readonly Pitch[] = [{ pitch: 16, gap: 2 }, { pitch: 10, gap: 1 }, { pitch: 7, gap: 1 }, { pitch: 5, gap: 1 }, SMALLEST];
const MAP_HEIGHT = 240;

/** Pages [first, end), bytes [from, to). */
export interface CellRange {
  readonly first: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export class Grid {
  readonly #runs: Runs;
  /** The pages that it shows: the first, and how many. */
  readonly #first: number;
  readonly #pages: number;
  readonly #pitch: number;
  readonly #gap: number;
  readonly #step: number;
  readonly columns: number;
  readonly pagesInCell: number;
  readonly count: number;
  readonly height: number;

  constructor(runs: Runs, first: number, pages: number, width: number) {
    const room = (pitch: number): number => Math.max(1, Math.floor(width / pitch)) * Math.floor(MAP_HEIGHT / pitch);
    const { pitch, gap } = PITCHES.find((one) => pages <= room(one.pitch)) ?? SMALLEST;
    this.#runs = runs;
    this.#first = first;
    this.#pages = pages;
    this.#pitch = pitch;
    this.#gap = gap;
    this.columns = Math.max(1, Math.floor(width / pitch));
    // Cells are a little wider than high, where it takes that to fill the width.
    this.#step = Math.max(pitch, width / this.columns);
    this.pagesInCell = Math.max(1, Math.ceil(pages / room(pitch)));
    this.count = Math.ceil(pages / this.pagesInCell);
    this.height = Math.ceil(this.count / this.columns) * pitch;
  }

  cell(index: number): CellRange {
    const first = this.#first + index * this.pagesInCell;
    const end = Math.min(first + this.pagesInCell, this.#first + this.#pages);
    const { pageSize } = this.#runs;
    return { first, end, from: Math.max(this.#runs.start, first * pageSize), to: Math.min(this.#runs.end, end * pageSize) };
  }

  /** The cell at a place; -1 where there is none. */
  hit(x: number, y: number): number {
    const [column, row] = [Math.floor(x / this.#step), Math.floor(y / this.#pitch)];
    const index = row * this.columns + column;
    return column >= 0 && column < this.columns && row >= 0 && index < this.count ? index : -1;
  }

  /** The rectangle of a cell, without its gap. In CSS pixels that are whole pixels of the screen. */
  place(index: number): Rectangle {
    const ratio = devicePixelRatio || 1;
    const [column, row] = [index % this.columns, Math.floor(index / this.columns)];
    const round = (length: number): number => Math.round(length * ratio) / ratio;
    const [x, y] = [round(column * this.#step), round(row * this.#pitch)];
    const gap = round(this.#gap);
    return { x, y, width: round((column + 1) * this.#step) - gap - x, height: round((row + 1) * this.#pitch) - gap - y };
  }

  /** The cell of a page. */
  cellOf(page: number): number {
    return Math.min(this.count - 1, Math.max(0, Math.floor((page - this.#first) / this.pagesInCell)));
  }

  /** Pixels of the screen, not of CSS: lines are sharp. */
  draw(canvas: HTMLCanvasElement, colors: Colors): void {
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.ceil(this.columns * this.#step * ratio);
    canvas.height = Math.ceil(this.height * ratio);
    canvas.style.width = `${canvas.width / ratio}px`;
    canvas.style.height = `${canvas.height / ratio}px`;
    const context = canvas.getContext('2d') as CanvasRenderingContext2D;
    for (let index = 0; index < this.count; index++) {
      const { x, y, width, height } = this.place(index);
      const { from, to } = this.cell(index);
      context.fillStyle = colors.of(this.#runs.shares(from, to));
      context.fillRect(Math.round(x * ratio), Math.round(y * ratio), Math.round(width * ratio), Math.round(height * ratio));
    }
  }
}
