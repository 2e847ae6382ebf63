// Pictures as an SVG: the bands of grid.ts with titles, counts and a legend. It is dark for readers who
// prefer dark.
import { escaped } from './escape.js';
import { DARK, LIGHT, cssVariables } from './palette.js';
import { type Paint, paintOf, samePaint } from './paint.js';
import { type Cell, MEANING, type PageState, type Picture, STATES } from './picture.js';
import { formatBytes, formatCount, formatShare } from '../common/units.js';
import { barOf, sumsOf } from './totals.js';
import { BAR, type Band, MAP_WIDTH, MARGIN, layoutOf } from './grid.js';

/** Pixels above each band: a title and a line of counts. */
const CAPTION = 52;
const LEGEND_ENTRY = 24;
/** The most characters of a title: a longer one loses its beginning, the less informative part of a path. */
const TITLE_LENGTH = 104;

const STYLE = `
  :root { color-scheme: light dark; ${cssVariables(LIGHT)} }
  @media (prefers-color-scheme: dark) { :root { ${cssVariables(DARK)} } }
  text { font: 13px system-ui, sans-serif; fill: var(--muted); }
  .title { font-size: 15px; font-weight: 600; fill: var(--text); }
  .doubt { fill: var(--warningText); }
  .page { fill: var(--card); }
  .grid { stroke: var(--card); fill: none; }
  ${STATES.map((state) => `.${state} { fill: var(--${state}); }`).join('\n  ')}
`;

function rectangle(x: number, y: number, width: number, height: number, rest: string): string {
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" ${rest}/>`;
}

function shorten(title: string): string {
  return title.length <= TITLE_LENGTH ? title : `…${title.slice(1 - TITLE_LENGTH)}`;
}

/** Adjacent cells that are painted the same: [first, end). */
interface Stretch {
  readonly first: number;
  readonly end: number;
  readonly paint: Paint;
}

function stretchesOf(cells: readonly Cell[]): Stretch[] {
  const stretches: Stretch[] = [];
  for (const [index, cell] of cells.entries()) {
    const paint = paintOf(cell);
    const last = stretches.at(-1);
    if (last !== undefined && samePaint(last.paint, paint)) stretches[stretches.length - 1] = { ...last, end: index + 1 };
    else stretches.push({ first: index, end: index + 1, paint });
  }
  return stretches;
}

/** At most three rectangles: the rest of a row, whole rows, the beginning of a row. */
function rectanglesOf({ columns, pitch, mapTop }: Band, { first, end }: Stretch, rest: string): string {
  let text = '';
  for (let from = first; from < end; ) {
    const column = from % columns;
    const whole = Math.floor((end - from) / columns);
    const rows = column === 0 ? Math.max(1, whole) : 1;
    const to = column === 0 && whole > 0 ? from + whole * columns : Math.min(end, from - column + columns);
    text += rectangle(MARGIN + column * pitch, mapTop + Math.floor(from / columns) * pitch, ((to - from) / rows) * pitch, rows * pitch, rest);
    from = to;
  }
  return text;
}

/** '64.0 KiB to 128 KiB, pages 16 to 31: in memory 75.0%, not in memory 25.0%'. */
function told({ cells, picture }: Band, { first, end }: Stretch): string {
  const shares = new Map<PageState, number>();
  for (const cell of cells.slice(first, end)) for (const [state, bytes] of cell.shares) shares.set(state, (shares.get(state) ?? 0) + bytes);
  const { offset } = cells[first] as Cell;
  const last = cells[end - 1] as Cell;
  const length = last.offset + last.length - offset;
  const states = STATES.filter((state) => shares.has(state));
  const parts = states.map((state) => (states.length === 1 ? MEANING[state] : `${MEANING[state]} ${formatShare(shares.get(state) ?? 0, length)}`));
  const page = (at: number): string => formatCount(Math.floor(at / picture.pageSize));
  return `${formatBytes(offset)} to ${formatBytes(offset + length)}, pages ${page(offset)} to ${page(offset + length - 1)}: ${parts.join(', ')}`;
}

function mapOf(band: Band, number: number): string {
  const { pitch, gap, mapTop, mapHeight } = band;
  const stretches = stretchesOf(band.cells).map((stretch) => {
    const { over, under, alpha } = stretch.paint;
    const base = alpha < 1 ? rectanglesOf(band, stretch, `class="${under}"`) : '';
    const top = alpha > 0 ? rectanglesOf(band, stretch, `class="${over}"${alpha < 1 ? ` fill-opacity="${alpha.toFixed(2)}"` : ''}`) : '';
    return `<g><title>${escaped(told(band, stretch))}</title>${base}${top}</g>`;
  });
  if (gap === 0 || mapHeight === 0) return stretches.join('\n');
  // The gaps lie on top, where the mouse does not notice them.
  const middle = pitch - gap / 2;
  const pattern =
    `<pattern id="grid${number}" patternUnits="userSpaceOnUse" x="${MARGIN}" y="${mapTop}" width="${pitch}" height="${pitch}">` +
    `<path class="grid" stroke-width="${gap}" d="M${middle} 0V${middle}H0"/></pattern>`;
  return `${stretches.join('\n')}\n${pattern}${rectangle(MARGIN, mapTop, MAP_WIDTH, mapHeight, `fill="url(#grid${number})" pointer-events="none"`)}`;
}

function countsLine(picture: Picture): string {
  const { pages, pagesInMemory, bytes, bytesInMemory } = sumsOf(picture);
  if (pages === 0) return 'empty';
  return `${formatShare(pagesInMemory, pages)} in memory: ${formatCount(pagesInMemory)} of ${formatCount(pages)} pages, ${formatBytes(bytesInMemory)} of ${formatBytes(bytes)}`;
}

function scaleOf({ cells, picture }: Band): string {
  // The second cell is complete, the first may not be.
  const { length } = cells[1] ?? cells[0] ?? { length: 0 };
  const pages = Math.ceil(length / picture.pageSize);
  return pages > 1 ? ` · a square is ${formatCount(pages)} pages` : '';
}

function bandOf(band: Band, number: number): string {
  const { picture, top, barTop } = band;
  const bar = barOf(sumsOf(picture), MAP_WIDTH).map(({ state, start, end }) => rectangle(MARGIN + start, barTop, end - start, BAR, `class="${state}"`));
  const doubt = picture.doubt === undefined ? '' : ` <tspan class="doubt">· unreliable<title>${escaped(picture.doubt)}</title></tspan>`;
  return [
    '<g class="file">',
    `<text class="title" x="${MARGIN}" y="${top + 15}">${escaped(shorten(picture.title))}</text>`,
    `<text x="${MARGIN}" y="${top + 37}">${escaped(countsLine(picture) + scaleOf(band))}${doubt}</text>`,
    `<g class="bar">${bar.join('')}</g>`,
    `<g class="map">${mapOf(band, number)}</g>`,
    '</g>',
  ].join('\n');
}

function legendOf(states: readonly PageState[]): string {
  return states
    .map((state, index) => {
      const y = MARGIN + index * LEGEND_ENTRY;
      return `${rectangle(MARGIN, y, 14, 14, `class="${state}"`)}<text x="${MARGIN + 22}" y="${y + 12}">${escaped(MEANING[state])}</text>`;
    })
    .join('\n');
}

export function svgOf(pictures: readonly Picture[]): string {
  const found = new Set(pictures.flatMap(({ runs }) => runs.map(({ state }) => state)));
  const states = STATES.filter((state) => found.has(state));
  const { width, height, bands } = layoutOf(pictures, CAPTION, states.length * LEGEND_ENTRY + 16);
  const description = pictures.map((picture) => `${picture.title}: ${countsLine(picture)}`).join('; ');
  return `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title description" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<title id="title">Which pages of files are in memory</title>
<desc id="description">${escaped(description)}</desc>
<style>${STYLE}</style>
${rectangle(0, 0, width, height, 'class="page"')}
<g class="legend">
${legendOf(states)}
</g>
${bands.map(bandOf).join('\n')}
</svg>
`;
}
