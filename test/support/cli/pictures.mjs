// Files with a pattern of pages in memory, the pictures that memmap makes of them, and what is
// in these pictures.
import { readFileSync, writeFileSync } from 'node:fs';
import { PNG } from 'pngjs';
import { runPython } from '../process/program.mjs';
import { evictPages, memmap, readPages } from './cli.mjs';
import { skip } from '../hooks.mjs';

export { htmlOf } from '../../../.unbundled/cli/picture/html/html.js';
export { DARK, LIGHT } from '../../../.unbundled/cli/picture/palette.js';
export { STATES } from '../../../.unbundled/cli/picture/picture.js';
export { pngOf } from '../../../.unbundled/cli/picture/png.js';
export { svgOf } from '../../../.unbundled/cli/picture/svg.js';

export const PAGE = 4096;

/** Runs `memmap presence` with these options: what its JSON tells of the files. */
export function presence(paths, options) {
  const { status, stdout, stderr } = memmap(['presence', '--json', ...options, ...paths]);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout).files;
}

/** The state of each page. */
export function statesOf({ runs }) {
  return runs.flatMap(({ offset, length, state }) => Array.from({ length: Math.ceil((offset + length) / PAGE) - offset / PAGE }, () => state));
}

/** Changes pages of a file, one by one, and leaves them so. */
function dirtyPages(path, pairs) {
  const script = `
fd = os.open(sys.argv[1], os.O_RDWR)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
pairs = [int(x) for x in sys.argv[2:]]
for a, b in zip(pairs[::2], pairs[1::2]):
    for page in range(a, b): os.pwrite(fd, os.urandom(4096), page * 4096)`;
  runPython(script, [path, ...pairs.flat()]);
}

const within = (pairs, page) => pairs.some(([from, to]) => page >= from && page < to);

/**
 * Draws a file of which just these pages are in memory, and these of them dirty; all of it again
 * where the system has written or pushed out some of them meanwhile: the states of its pages.
 */
export function drawn(context, path, pages, { resident, dirty }, options) {
  const [whole, rest] = [pages * PAGE, 100];
  writeFileSync(path, Buffer.alloc(whole - rest, 7));
  for (let attempt = 0; attempt < 9; attempt++) {
    evictPages(path);
    readPages(path, resident);
    dirtyPages(path, dirty.map(([from, to]) => [from, to]));
    const [file] = presence([path], options);
    const wanted = Array.from({ length: pages }, (_, page) => (within(dirty, page) ? (file.detailed ? 'dirty' : 'resident') : within(resident, page) ? 'resident' : 'absent'));
    const states = statesOf(file);
    if (wanted.join() === states.join()) return states;
    if (states.every((state) => state !== 'absent')) skip(context, 'pages of temporary files do not leave the memory here');
  }
  throw new Error('the pages do not stay as they are made');
}

/** '#rrggbb' of each pixel: { width, height, at(x, y) }. */
export function decode(png) {
  const { width, height, data } = PNG.sync.read(png);
  const at = (x, y) => `#${data.toString('hex', 4 * (y * width + x), 4 * (y * width + x) + 3)}`;
  return { width, height, at };
}

export function readPng(path) {
  return decode(readFileSync(path));
}

/** The one colour of a rectangle; undefined if there are more. */
export function colorOf({ at }, x, y, width, height) {
  for (let row = y; row < y + height; row++) {
    for (let column = x; column < x + width; column++) if (at(column, row) !== at(x, y)) return undefined;
  }
  return at(x, y);
}

/** `over` on `under`, both '#rrggbb'. */
export function mixed(over, under, alpha) {
  const parts = (color) => [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  const [top, bottom] = [parts(over), parts(under)];
  return `#${top.map((value, i) => Math.round(bottom[i] + (value - bottom[i]) * alpha).toString(16).padStart(2, '0')).join('')}`;
}

/** Reads it with Python's XML parser: titles and texts; of each map its rectangles. Throws where it is not well-formed. */
export function parseSvg(text) {
  const script = `
import xml.etree.ElementTree as tree
root = tree.fromstring(sys.stdin.buffer.read())
S = '{http://www.w3.org/2000/svg}'
maps = [[dict(r.attrib, title=g.find(S + 'title').text) for g in m.findall(S + 'g') for r in g.findall(S + 'rect')]
        for m in root.iter(S + 'g') if m.get('class') == 'map']
print(json.dumps({'title': root.find(S + 'title').text, 'description': root.find(S + 'desc').text, 'role': root.get('role'),
  'names': sorted({e.tag.split('}')[1] for e in root.iter()}), 'maps': maps,
  'texts': [''.join(t.itertext()) for t in root.iter(S + 'text')]}))`;
  return JSON.parse(runPython(script, [], { input: text, maxBuffer: 2 ** 28 }));
}
