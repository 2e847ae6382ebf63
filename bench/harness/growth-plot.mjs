// The figures of store-growth.mjs as a picture: one panel for what each of them says.
import * as vega from 'vega';
import { compile } from 'vega-lite';

const COLOURS = { domain: ['Store', 'lmdb', 'memory'], range: ['#0b6e99', '#d9730d', '#8a8a8a'] };
const SIDE = { width: 230, height: 200 };

/** A panel of points { pairs, store, what, value }; each `what` has dashes of its own. */
function panel(title, unit, points) {
  return {
    title,
    ...SIDE,
    data: { values: points },
    mark: { type: 'line', point: true },
    encoding: {
      x: { field: 'pairs', type: 'quantitative', title: 'million pairs', scale: { type: 'log', nice: false }, axis: { values: xs(points) } },
      y: { field: 'value', type: 'quantitative', title: unit, scale: { zero: true } },
      color: { field: 'store', type: 'nominal', title: null, scale: COLOURS },
      strokeDash: { field: 'what', type: 'nominal', title: null },
    },
  };
}

const xs = (points) => [...new Set(points.map(({ pairs }) => pairs))];

/** The points of some figures: `take` gives those of a row, by name. */
const points = (rows, take) =>
  rows.flatMap((row) =>
    Object.entries(take(row))
      .filter(([, value]) => Number.isFinite(value))
      .map(([what, value]) => ({ pairs: row.pairs / 1e6, store: row.store, what, value })),
  );

/** @returns the SVG */
export async function drawGrowth(rows) {
  const spec = {
    background: 'white',
    hconcat: [
      panel('Time', 'ns', points(rows, (row) => ({ put: row.putNs, get: row.getNs, getView: row.getViewNs }))),
      panel('Size of the file over that of the data', 'times', points(rows, (row) => ({ file: row.fileBytes / row.dataBytes, disk: row.diskBytes / row.dataBytes }))),
      panel('Resident memory', 'MiB', points(rows, (row) => ({ mapped: row.mappedRss / 2 ** 20, 'the process': row.rss / 2 ** 20 }))),
    ],
    resolve: { scale: { color: 'shared', strokeDash: 'independent' } },
  };
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: 'none' });
  return `${await view.toSVG()}\n`;
}
