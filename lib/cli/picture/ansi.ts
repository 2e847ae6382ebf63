// The picture of a file as a line of the terminal: coloured blocks, or ASCII.
import { type Cell, MEANING, type PageState, type Picture, STATES, cellsOf, fill, mainState } from './picture.js';
import type { Terminal } from '../common/terminal.js';

/** The sign of each state without colours. */
const ASCII: Readonly<Record<PageState, string>> = {
  dirty: '*', writeback: '>', mapped: '@', resident: '#', swapped: 's', evicted: '-', absent: '.',
};
/** Signs for a cell that is partly in memory: less than half, or more. */
const PART = [':', '+'] as const;
const BLOCKS = ['░', '▒', '▓', '█'] as const;

type Paint = (text: string) => string;

function paints({ colors }: Terminal): Readonly<Record<PageState, Paint>> {
  return {
    dirty: colors.red, writeback: colors.magenta, mapped: colors.cyan, resident: colors.green,
    swapped: colors.yellow, evicted: colors.blue, absent: colors.gray,
  };
}

const OUT: ReadonlySet<PageState> = new Set(['absent', 'evicted', 'swapped']);

/** The state that gives the cell its colour: one in memory, if any part of the cell is. */
function shownState(cell: Cell): PageState {
  const share = fill(cell);
  if (share === 0 || share === 1) return mainState(cell);
  const shares = new Map([...cell.shares].filter(([state]) => !OUT.has(state)));
  return mainState({ ...cell, shares });
}

function plainSign(cell: Cell): string {
  const share = fill(cell);
  const state = shownState(cell);
  if (share === 0 || share === 1 || state !== 'resident') return ASCII[state];
  return share < 0.5 ? PART[0] : PART[1];
}

function blockSign(cell: Cell): string {
  const share = fill(cell);
  if (share === 0) return mainState(cell) === 'absent' ? '·' : BLOCKS[0];
  return BLOCKS[Math.min(BLOCKS.length - 1, Math.floor(share * BLOCKS.length))] as string;
}

/** The picture, one sign per cell, at most `width` signs. */
export function mapLine(picture: Picture, width: number, terminal: Terminal): string {
  const cells = cellsOf(picture, width);
  if (!terminal.rich) return cells.map(plainSign).join('');
  const paint = paints(terminal);
  let line = '';
  for (let i = 0; i < cells.length; ) {
    const state = shownState(cells[i] as Cell);
    let text = '';
    for (; i < cells.length && shownState(cells[i] as Cell) === state; i++) text += blockSign(cells[i] as Cell);
    line += paint[state](text);
  }
  return line;
}

/** The meaning of the signs, for states that occur. */
export function legend(pictures: readonly Picture[], terminal: Terminal): string {
  const found = new Set(pictures.flatMap(({ runs }) => runs.map(({ state }) => state)));
  const paint = paints(terminal);
  const shown = STATES.filter((state) => found.has(state));
  const signs = shown.map((state) => {
    const sign = terminal.rich ? paint[state](state === 'absent' ? '·' : OUT.has(state) ? BLOCKS[0] : BLOCKS[3]) : ASCII[state];
    return `${sign} ${MEANING[state]}`;
  });
  if (!terminal.rich && found.has('resident')) signs.push(`${PART.join(' ')} in part`);
  return signs.join('   ');
}
