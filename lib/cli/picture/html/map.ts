// The part of the HTML page's script that knows pages and cells: runs, the layout of a map, and
// how it is painted (as paint.ts does). It is text that the page contains; nothing here is put
// into it from outside.
export const MAP_SCRIPT: string = String.raw`
'use strict';

/** The runs of a file, to be asked by offset. */
class Runs {
  constructor({ start, runs, pageSize }) {
    const count = runs.length / 2;
    this.pageSize = pageSize;
    this.starts = new Float64Array(count + 1);
    this.states = new Uint8Array(count);
    this.starts[0] = start;
    for (let i = 0; i < count; i++) {
      this.states[i] = runs[2 * i];
      this.starts[i + 1] = this.starts[i] + runs[2 * i + 1];
    }
    this.firstPage = Math.floor(start / pageSize);
    this.endPage = Math.ceil(this.starts[count] / pageSize);
    this.pages = count === 0 ? 0 : this.endPage - this.firstPage;
  }

  get end() {
    return this.starts[this.starts.length - 1];
  }

  /** The run that has the byte at the offset. */
  at(offset) {
    let [low, high] = [0, this.states.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Bytes of each state in [from, to). */
  shares(from, to) {
    const shares = new Array(STATES.length).fill(0);
    for (let i = this.at(from); i < this.states.length && this.starts[i] < to; i++) {
      shares[this.states[i]] += Math.max(0, Math.min(to, this.starts[i + 1]) - Math.max(from, this.starts[i]));
    }
    return shares;
  }
}

const PITCHES = [{ pitch: 16, gap: 2 }, { pitch: 10, gap: 1 }, { pitch: 7, gap: 1 }, { pitch: 5, gap: 1 }, { pitch: 4, gap: 0 }];
const MAP_HEIGHT = 240;

/** The cells of some pages of a file, in rows: where they are, and what is in them. */
class Grid {
  /** first, pages: which of the file's. */
  constructor(runs, first, pages, width) {
    const room = ({ pitch }) => Math.max(1, Math.floor(width / pitch)) * Math.floor(MAP_HEIGHT / pitch);
    const { pitch, gap } = PITCHES.find((one) => pages <= room(one)) ?? PITCHES[PITCHES.length - 1];
    Object.assign(this, { runs, first, pages, pitch, gap });
    this.columns = Math.max(1, Math.floor(width / pitch));
    // Cells are a little wider than high, where it takes that to fill the width.
    this.step = Math.max(pitch, width / this.columns);
    this.pagesInCell = Math.max(1, Math.ceil(pages / room({ pitch })));
    this.count = Math.ceil(pages / this.pagesInCell);
    this.rows = Math.ceil(this.count / this.columns);
    this.height = this.rows * pitch;
  }

  /** Of the cell: pages [first, end), bytes [from, to). */
  cell(index) {
    const first = this.first + index * this.pagesInCell;
    const end = Math.min(first + this.pagesInCell, this.first + this.pages);
    const { pageSize, starts } = this.runs;
    return { first, end, from: Math.max(starts[0], first * pageSize), to: Math.min(this.runs.end, end * pageSize) };
  }

  /** The cell at a place; -1 where there is none. */
  hit(x, y) {
    const [column, row] = [Math.floor(x / this.step), Math.floor(y / this.pitch)];
    const index = row * this.columns + column;
    return column >= 0 && column < this.columns && row >= 0 && index < this.count ? index : -1;
  }

  /** The rectangle of a cell, without its gap. In CSS pixels that are whole pixels of the screen. */
  place(index) {
    const ratio = window.devicePixelRatio || 1;
    const [column, row] = [index % this.columns, Math.floor(index / this.columns)];
    const round = (length) => Math.round(length * ratio) / ratio;
    const [x, y] = [round(column * this.step), round(row * this.pitch)];
    const gap = round(this.gap);
    return { x, y, width: round((column + 1) * this.step) - gap - x, height: round((row + 1) * this.pitch) - gap - y };
  }

  /** The cell of a page. */
  cellOf(page) {
    return Math.min(this.count - 1, Math.max(0, Math.floor((page - this.first) / this.pagesInCell)));
  }

  /** Pixels of the screen, not of CSS: lines are sharp. */
  draw(canvas, colors) {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.ceil(this.columns * this.step * ratio);
    canvas.height = Math.ceil(this.height * ratio);
    canvas.style.width = canvas.width / ratio + 'px';
    canvas.style.height = canvas.height / ratio + 'px';
    const context = canvas.getContext('2d');
    for (let index = 0; index < this.count; index++) {
      const { x, y, width, height } = this.place(index);
      const { from, to } = this.cell(index);
      context.fillStyle = colors.of(this.runs.shares(from, to));
      context.fillRect(Math.round(x * ratio), Math.round(y * ratio), Math.round(width * ratio), Math.round(height * ratio));
    }
  }
}

/** The colours of the theme that is in use. */
class Colors {
  constructor() {
    const style = getComputedStyle(document.documentElement);
    this.states = STATES.map(({ name }) => {
      const number = parseInt(style.getPropertyValue('--' + name).trim().slice(1), 16);
      return [number >> 16, (number >> 8) & 255, number & 255];
    });
    this.known = new Map();
  }

  /** Of a cell with such shares: what is in memory on what is not. */
  of(shares) {
    let [inMemory, all, over, under] = [0, 0, -1, -1];
    for (let i = 0; i < shares.length; i++) {
      if (shares[i] === 0) continue;
      all += shares[i];
      if (STATES[i].inMemory) {
        inMemory += shares[i];
        if (over < 0 || shares[i] > shares[over]) over = i;
      } else if (under < 0 || shares[i] > shares[under]) under = i;
    }
    const share = all === 0 ? 0 : inMemory / all;
    const step = share === 0 || share === 1 ? share * OPACITY.steps : Math.min(OPACITY.steps - 1, Math.max(1, Math.round(share * OPACITY.steps)));
    const key = (over + 1) * 1000 + (under + 1) * 100 + step;
    let color = this.known.get(key);
    if (color === undefined) this.known.set(key, (color = this.mixed(over, under, step)));
    return color;
  }

  mixed(over, under, step) {
    const { steps, least, most } = OPACITY;
    const alpha = step === 0 || step === steps ? step / steps : least + ((most - least) * (step - 1)) / (steps - 2);
    const [top, bottom] = [this.states[over < 0 ? under : over], this.states[under < 0 ? over : under]];
    return 'rgb(' + bottom.map((value, i) => Math.round(value + (top[i] - value) * alpha)).join(',') + ')';
  }
}
`;
