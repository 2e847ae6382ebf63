// The table of `memmap maps`.
import Table from 'cli-table3';
import type { Order, Row, MappingTotals } from './rows.js';
import { formatBytes, formatCount } from '../common/units.js';
import type { Terminal } from '../common/terminal.js';

/** Spaces between columns. */
const GAP = 2;
/** If a name had fewer columns, the end addresses are left out. */
const NAME = 30;
/** The least columns of a name, however narrow the terminal is. */
const LEAST_NAME = 8;

const BARE = {
  top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
  left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: ' '.repeat(GAP),
};

/** '1.50G': formatBytes(), for columns. */
function short(size: number): string {
  return size === 0 ? '-' : formatBytes(size).replace(/ (.)(?:iB)?$/, '$1');
}

/** Shortens a text to `width` columns. Of a path the folders are cut first; then the middle of the file's name. */
function shortened(text: string, width: number, sign: string): string {
  if (text.length <= width) return text;
  const room = width - sign.length;
  if (room <= 0) return text.slice(0, Math.max(0, width));
  const slash = text.startsWith('/') ? text.lastIndexOf('/') : -1;
  const name = slash === -1 ? text : text.slice(slash);
  if (name.length <= room) return `${text.slice(0, room - name.length)}${sign}${name}`;
  const part = name.slice(slash === -1 ? 0 : 1);
  if (part.length <= width) return part;
  const tail = Math.floor(room * 0.4);
  return `${part.slice(0, room - tail)}${sign}${part.slice(part.length - tail)}`;
}

interface Column {
  readonly title: string;
  /** The order of rows that this column stands for. */
  readonly order?: Order;
  readonly left?: boolean;
  readonly row: (row: Row) => string;
  readonly sum: (sums: MappingTotals) => string;
}

function bytes(order: 'size' | 'rss' | 'pss' | 'swap' | 'huge' | 'locked'): Column {
  return { title: order.toUpperCase(), order, row: (row) => short(row[order]), sum: (sums) => short(sums[order]) };
}

function address(whole: boolean): Column {
  return {
    title: 'ADDRESS',
    order: 'address',
    row: ({ start, end }) => (whole ? `${start.toString(16)}-${end.toString(16)}` : start.toString(16)),
    sum: () => '',
  };
}

const COUNT: Column = { title: 'MAPS', row: ({ count }) => formatCount(count), sum: ({ count }) => formatCount(count) };
const RIGHTS: Column = { title: 'RIGHTS', left: true, row: ({ rights }) => (rights.length > 1 ? 'mixed' : (rights[0] ?? '')), sum: () => '' };

/** Rare columns are left out if all their values are 0, unless the rows are sorted by them. */
function columnsOf(total: MappingTotals, order: Order, first: Column): Column[] {
  const rare = (['swap', 'huge', 'locked'] as const).filter((one) => total[one] > 0 || order === one);
  return [first, ...(['size', 'rss', 'pss', ...rare] as const).map(bytes), RIGHTS];
}

/** The contents of the table. */
export interface Contents {
  readonly rows: readonly Row[];
  /** The sum of rows that are not shown. */
  readonly rest: MappingTotals;
  readonly total: MappingTotals;
  readonly order: Order;
  /** Whether a row stands for all mappings of a name. */
  readonly grouped: boolean;
}

/** Rows that are laid out at once: the time of cli-table3 grows with the square of their number. */
const AT_ONCE = 40;

/** The lines of the table, at most `width` columns each. */
export function tableOf({ rows, rest, total, order, grouped }: Contents, width: number, terminal: Terminal): string[] {
  const { colors } = terminal;
  const sums: [MappingTotals, string][] = [...(rest.count > 0 ? [[rest, `${formatCount(rest.count)} more`] as [MappingTotals, string]] : []), [total, 'total']];
  const widthsOf = (columns: readonly Column[]): number[] =>
    columns.map(({ title, row, sum }) => {
      const least = Math.max(title.length, ...sums.map(([one]) => sum(one).length));
      return rows.reduce((most, one) => Math.max(most, row(one).length), least);
    });
  const roomBeside = (widths: readonly number[]): number => width - widths.reduce((used, one) => used + one + GAP, 0);
  let columns = columnsOf(total, order, grouped ? COUNT : address(true));
  if (!grouped && roomBeside(widthsOf(columns)) < NAME) columns = columnsOf(total, order, address(false));
  const widths = widthsOf(columns);
  const room = Math.max(LEAST_NAME, roomBeside(widths));
  const head = (title: string, by: Order | undefined): string => (by === order ? colors.bold(colors.underline(title)) : colors.bold(title));
  const lines = [
    [...columns.map((column) => head(column.title, column.order)), head(grouped ? 'FILE' : 'FILE OR NAME', 'file')],
    ...rows.map((row) => {
      const name = shortened(terminal.name(row.name), room, terminal.rich ? '…' : '...');
      const cells = columns.map((column) => column.row(row));
      return [...cells.map((text) => (text === '-' ? colors.dim(text) : text)), row.name.startsWith('/') ? name : colors.cyan(name)];
    }),
    ...sums.map(([one, name]) => {
      const paint = name === 'total' ? colors.bold : colors.dim;
      return columns.map((column) => paint(column.sum(one))).concat(paint(name));
    }),
  ];
  const aligned = columns.map(({ left = false }) => (left ? 'left' : 'right'));
  return laidOut(lines, [...aligned, 'left'], widths);
}

function laidOut(lines: readonly string[][], colAligns: ('left' | 'right')[], widths: readonly number[]): string[] {
  const text: string[] = [];
  for (let from = 0; from < lines.length; from += AT_ONCE) {
    const table = new Table({
      chars: BARE,
      colAligns,
      colWidths: [...widths],
      style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
    });
    table.push(...lines.slice(from, from + AT_ONCE));
    text.push(...table.toString().split('\n').map((line) => line.trimEnd()));
  }
  return text;
}
