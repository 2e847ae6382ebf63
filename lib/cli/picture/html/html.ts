// Pictures as one HTML page that needs nothing else: data, style and script are in it.
import { SCRIPT, STYLE } from './browser-text.js';
import type { FileData, PageData } from './page-data.js';
import { scriptJson, visible } from '../escape.js';
import { DARK, LIGHT, cssVariables } from '../palette.js';
import { IN_MEMORY, MEANING, type PageState, type Picture, STATES } from '../picture.js';
import { sumsOf } from '../totals.js';

const LABELS: Readonly<Record<PageState, string>> = {
  dirty: 'Dirty',
  writeback: 'Being written',
  mapped: 'In the page tables',
  resident: 'In memory',
  swapped: 'In swap',
  evicted: 'Evicted',
  absent: 'Not in memory',
};

function dataOf(picture: Picture): FileData {
  const { counts, ...sums } = sumsOf(picture);
  return {
    title: visible(picture.title),
    pageSize: picture.pageSize,
    ...(picture.doubt !== undefined && { doubt: visible(picture.doubt) }),
    counts: STATES.map((state) => counts[state]),
    ...sums,
    start: picture.runs[0]?.offset ?? 0,
    runs: picture.runs.flatMap(({ state, length }) => [STATES.indexOf(state), length]),
  };
}

/** The colours of palette.ts as variables, and the class of each state. */
const COLORS = `:root { color-scheme: light dark; ${cssVariables(LIGHT)} }
@media (prefers-color-scheme: dark) { :root { ${cssVariables(DARK)} } }
${STATES.map((state) => `.${state} { background: var(--${state}); }`).join('\n')}
`;

/** Nothing is fetched, whatever is in the data. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";
const KEYS = 'Arrow keys go from square to square, with Shift to the next change. Enter looks closer, Page Up and Page Down move, Escape shows the whole file.';

export function htmlOf(pictures: readonly Picture[]): string {
  const states = STATES.map((name) => ({ name, label: LABELS[name], meaning: MEANING[name], inMemory: IN_MEMORY.has(name) }));
  const data: PageData = { states, files: pictures.map(dataOf) };
  const time = new Date().toISOString();
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="memmap presence">
<title>Pages in memory</title>
<link rel="icon" href="data:,">
<style>
${COLORS}${STYLE}</style>
</head>
<body>
<header><div class="wide">
<h1>Pages in memory</h1>
<p class="muted"><span id="totals" class="number"></span> · <time datetime="${time}">${time.slice(0, 16).replace('T', ' ')} UTC</time></p>
</div></header>
<div class="tools"><div class="wide">
<ul class="legend" aria-label="Legend"></ul>
<label class="filter" hidden><span class="spoken">Filter files</span><output class="muted number" aria-live="polite"></output><input type="search" placeholder="Filter files" autocomplete="off" spellcheck="false"></label>
</div></div>
<main class="wide"><p class="none" hidden>No file has such a name.</p></main>
<p id="keys" hidden>${KEYS}</p>
<noscript><p class="none">This page draws its maps with a script.</p></noscript>
<script type="application/json" id="data">${scriptJson(data)}</script>
<script>
${SCRIPT}</script>
</body>
</html>
`;
}
