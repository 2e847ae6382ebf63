// The part of the HTML page's script that makes the card of a file: words, bar, map, tooltip.
// All text from outside gets into the page as text nodes.
export const CARD_SCRIPT: string = String.raw`
const count = (number) => number.toLocaleString('en-US');

/** '1.50 GiB': three digits that count, and as many more as asked for. */
function bytes(number, more = 0) {
  let unit = 0;
  for (; number >= 1024 && unit < 5; unit++) number /= 1024;
  const digits = (number >= 100 ? 0 : number >= 10 ? 1 : 2) + more;
  return number.toFixed(unit === 0 || Number.isInteger(number) ? 0 : digits) + ' ' + ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][unit];
}

/** With as many digits as tell the ends apart. */
function range(from, to) {
  let more = 0;
  while (more < 12 && bytes(from, more) === bytes(to, more)) more++;
  return bytes(from, more) + ' – ' + bytes(to, more);
}

/** What is not all is never 100%, and what is not nothing never 0%. */
function percent(part, whole) {
  if (part === whole || part === 0) return part === 0 ? '0%' : '100%';
  return Math.min(99.9, Math.max(0.1, (100 * part) / whole)).toFixed(1) + '%';
}

/** An element; what is inside it, texts and elements. */
function element(name, attributes = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(key, value);
    else if (value === true) made.setAttribute(key, '');
    else if (value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...inside.filter((one) => one !== undefined));
  return made;
}

const swatch = (state) => element('span', { class: 'swatch ' + state.name });

function bar(counts) {
  const all = counts.reduce((sum, one) => sum + one, 0);
  const shown = STATES.flatMap((state, i) => (counts[i] > 0 ? [{ state, pages: counts[i] }] : []));
  const label = shown.map(({ state, pages }) => state.label + ' ' + percent(pages, all)).join(', ');
  const made = element('div', { class: 'bar', role: 'img', 'aria-label': label });
  for (const { state, pages } of shown) {
    const part = element('span', { class: state.name, title: state.label + ': ' + count(pages) + ' pages, ' + percent(pages, all) });
    part.style.flexGrow = pages / all * 1000;
    made.append(part);
  }
  return made;
}

/** The one tooltip of the page. */
class Tip {
  constructor() {
    this.box = element('div', { class: 'tip', role: 'tooltip', id: 'tip', hidden: true });
    this.spoken = element('div', { class: 'spoken', 'aria-live': 'polite' });
    document.body.append(this.box, this.spoken);
  }

  /** Beside the rectangle, inside of the window. */
  show(rectangle, content, aloud) {
    this.box.replaceChildren(...content);
    this.box.hidden = false;
    const { width, height } = this.box.getBoundingClientRect();
    const left = Math.min(Math.max(8, rectangle.left + rectangle.width / 2 - width / 2), innerWidth - width - 8);
    const below = rectangle.bottom + 12;
    const top = below + height + 8 <= innerHeight ? below : Math.max(8, rectangle.top - 12 - height);
    this.box.style.transform = 'translate(' + Math.round(left) + 'px,' + Math.round(top) + 'px)';
    this.aloud = aloud;
    if (aloud) this.spoken.textContent = content.map((one) => one.innerText).join('. ');
  }

  hide() {
    this.box.hidden = true;
  }

  /** What the mouse pointed at has moved away; where the keys are has not. */
  scrolled() {
    if (!this.aloud) this.hide();
  }
}

class Card {
  constructor(file, page) {
    Object.assign(this, { file, page, runs: new Runs(file), visible: false, selected: -1 });
    const { runs } = this;
    Object.assign(this, { first: runs.firstPage, pages: runs.pages });
    this.text = file.title.toLowerCase();
    const slash = file.title.lastIndexOf('/') + 1;
    const name = element('h2', { title: file.title }, element('span', { class: 'folder' }, file.title.slice(0, slash)), file.title.slice(slash));
    this.box = element('section', { class: 'file' }, element('div', { class: 'head' }, name, this.share()), this.sums());
    if (file.doubt !== undefined) this.box.append(element('p', { class: 'doubt', role: 'note' }, element('b', {}, 'Not to be relied on: '), file.doubt));
    if (runs.pages === 0) return;
    this.canvas = element('canvas', { tabindex: '0', role: 'application', 'aria-roledescription': 'map of pages', 'aria-describedby': 'keys', 'aria-label': file.title });
    this.cursor = element('div', { class: 'cursor', hidden: true });
    this.map = element('div', { class: 'map' }, this.canvas, this.cursor);
    this.scale = element('span');
    this.views = element('span', { class: 'views', hidden: true });
    this.before = element('button', { type: 'button', click: () => this.pan(-1) }, '← Before');
    this.after = element('button', { type: 'button', click: () => this.pan(1) }, 'After →');
    this.views.append(this.before, this.after, element('button', { type: 'button', click: () => this.view(runs.firstPage, runs.pages) }, 'Whole file'));
    this.box.append(bar(file.counts), this.map, element('div', { class: 'foot' }, this.scale, this.views));
    this.listen();
  }

  share() {
    const { file, runs } = this;
    if (runs.pages === 0) return undefined;
    return element('div', { class: 'share number' }, percent(file.pagesInMemory, runs.pages), ' ', element('small', {}, 'in memory'));
  }

  sums() {
    const { file, runs } = this;
    if (runs.pages === 0) return element('div', { class: 'sums' }, 'Empty: it has no pages.');
    const parts = STATES.flatMap((state, i) => (file.counts[i] > 0 ? [element('span', {}, swatch(state), count(file.counts[i]) + ' ' + state.label.toLowerCase())] : []));
    return element('div', { class: 'sums number' }, element('span', {}, bytes(file.bytesInMemory) + ' of ' + bytes(file.bytes)), element('span', {}, count(runs.pages) + (runs.pages === 1 ? ' page' : ' pages')), ...parts);
  }

  /** Takes its place; what is seen is drawn later. */
  fit(width) {
    if (this.map === undefined) return;
    this.width = width;
    this.grid = new Grid(this.runs, this.first, this.pages, width);
    this.map.style.height = this.grid.height + 'px';
    this.select(-1);
    const { pagesInCell } = this.grid;
    const { pageSize } = this.file;
    const part = this.pages < this.runs.pages;
    this.scale.textContent =
      (part ? 'Pages ' + count(this.first) + ' – ' + count(this.first + this.pages - 1) + '. ' : '') +
      (pagesInCell === 1 ? 'A square is a page of ' + bytes(pageSize) + '.' : 'A square is ' + count(pagesInCell) + ' pages, ' + bytes(pagesInCell * pageSize) + '. Double-click or press Enter to look closer.');
    this.views.hidden = !part;
    this.before.disabled = this.first === this.runs.firstPage;
    this.after.disabled = this.first + this.pages === this.runs.endPage;
    this.draw();
  }

  /** Pixels that nobody sees are not kept. */
  draw() {
    if (this.grid === undefined) return;
    if (this.visible) this.grid.draw(this.canvas, this.page.colors);
    else this.canvas.width = 0;
  }

  /** Shows pages [first, first + pages), moved to where the file has them. */
  view(first, pages) {
    this.pages = Math.min(pages, this.runs.pages);
    this.first = Math.max(this.runs.firstPage, Math.min(first, this.runs.endPage - this.pages));
    this.fit(this.width);
  }

  pan(direction) {
    this.view(this.first + direction * Math.ceil(this.pages / 2), this.pages);
  }

  /** The selected cell, and what is around it, in more cells. */
  closer() {
    const { grid, selected } = this;
    if (selected < 0 || grid.pagesInCell === 1) return;
    const { first } = grid.cell(selected);
    const pages = Math.max(grid.count, Math.ceil(this.pages / 8));
    this.view(first - Math.floor(pages / 2), pages);
    this.select(this.grid.cellOf(first), true);
  }

  listen() {
    const { canvas } = this;
    const point = ({ offsetX, offsetY }) => this.select(this.grid.hit(offsetX, offsetY));
    canvas.addEventListener('pointermove', point);
    canvas.addEventListener('pointerdown', point);
    canvas.addEventListener('pointerleave', ({ pointerType }) => pointerType === 'touch' || this.select(-1));
    canvas.addEventListener('dblclick', () => this.closer());
    canvas.addEventListener('blur', () => this.select(-1));
    canvas.addEventListener('focus', () => canvas.matches(':focus-visible') && this.select(Math.max(0, this.selected), true));
    canvas.addEventListener('keydown', (event) => this.key(event));
  }

  key(event) {
    const { columns, count: cells } = this.grid;
    const at = this.selected;
    const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - columns, ArrowDown: at + columns, Home: 0, End: cells - 1 };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.shiftKey && (event.key === 'ArrowLeft' || event.key === 'ArrowRight')) this.select(this.change(event.key === 'ArrowLeft' ? -1 : 1), true);
    else if (event.key in moves) this.select(Math.min(cells - 1, Math.max(0, moves[event.key])), true);
    else if (event.key === 'Enter') this.closer();
    else if (event.key === 'PageUp' || event.key === 'PageDown') this.pan(event.key === 'PageUp' ? -1 : 1);
    else if (event.key === 'Escape' && this.pages < this.runs.pages) this.view(this.runs.firstPage, this.runs.pages);
    else if (event.key === 'Escape') this.select(-1);
    else return;
    event.preventDefault();
  }

  /** The next cell in which a run begins; backwards, the one before. */
  change(direction) {
    const { grid, runs } = this;
    const { from, to } = grid.cell(Math.max(0, this.selected));
    const run = direction > 0 ? runs.at(to - 1) + 1 : runs.at(Math.max(runs.starts[0], from - 1));
    return grid.cellOf(Math.floor(runs.starts[Math.min(run, runs.states.length - 1)] / runs.pageSize));
  }

  /** Marks a cell, and announces it; -1: none. */
  select(index, aloud = false) {
    this.selected = index;
    this.cursor.hidden = index < 0;
    if (index < 0) {
      this.page.tip.hide();
      return;
    }
    const { x, y, width, height } = this.grid.place(index);
    Object.assign(this.cursor.style, { left: x + 'px', top: y + 'px', width: width + 'px', height: height + 'px' });
    if (aloud) this.cursor.scrollIntoView({ block: 'nearest' });
    this.page.tip.show(this.cursor.getBoundingClientRect(), this.told(index), aloud);
  }

  told(index) {
    const { runs } = this;
    const { first, end, from, to } = this.grid.cell(index);
    const shares = runs.shares(from, to);
    const told = [
      element('div', {}, element('b', {}, range(from, to))),
      element('div', { class: 'muted number' }, 'bytes ' + count(from) + ' – ' + count(to - 1)),
      element('div', { class: 'muted number' }, end - first === 1 ? 'page ' + count(first) : 'pages ' + count(first) + ' – ' + count(end - 1) + ' (' + count(end - first) + ')'),
    ];
    const rows = STATES.flatMap((state, i) => (shares[i] > 0 ? [element('tr', {}, element('td', {}, swatch(state), state.meaning), element('td', { class: 'number' }, percent(shares[i], to - from)))] : []));
    told.push(element('table', {}, ...rows));
    const run = runs.at(from);
    const [start, finish] = [Math.floor(runs.starts[run] / runs.pageSize), Math.ceil(runs.starts[run + 1] / runs.pageSize)];
    if (rows.length === 1 && finish - start > end - first) told.push(element('div', { class: 'muted number' }, 'as are pages ' + count(start) + ' – ' + count(finish - 1)));
    return told;
  }
}
`;
