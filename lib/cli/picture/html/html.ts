// Pictures as one HTML page that needs nothing else: data, style and script are in it.
import { CARD_SCRIPT } from './card.js';
import { MAP_SCRIPT } from './map.js';
import { PAGE_SCRIPT } from './page.js';
import { STYLE } from './style.js';
import { scriptJson, visible } from '../escape.js';
import { OPACITY } from '../paint.js';
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

/** What the script knows of a file. */
function dataOf(picture: Picture): object {
  const { counts, ...sums } = sumsOf(picture);
  return {
    title: visible(picture.title),
    pageSize: picture.pageSize,
    ...(picture.doubt !== undefined && { doubt: visible(picture.doubt) }),
    counts: STATES.map((state) => counts[state]),
    ...sums,
    start: picture.runs[0]?.offset ?? 0,
    // State and length, state and length: there may be 100,000.
    runs: picture.runs.flatMap(({ state, length }) => [STATES.indexOf(state), length]),
  };
}

/** Nothing is fetched, whatever is in the data. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";
const KEYS = 'Arrow keys go from square to square, with Shift to the next change. Enter looks closer, Page Up and Page Down move, Escape shows the whole file.';

export function htmlOf(pictures: readonly Picture[]): string {
  const states = STATES.map((name) => ({ name, label: LABELS[name], meaning: MEANING[name], inMemory: IN_MEMORY.has(name) }));
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
<style>${STYLE}</style>
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
<script type="application/json" id="data">${scriptJson({ states, files: pictures.map(dataOf) })}</script>
<script>
const DATA = JSON.parse(document.getElementById('data').textContent);
const STATES = DATA.states;
const OPACITY = ${JSON.stringify(OPACITY)};
${MAP_SCRIPT}${CARD_SCRIPT}${PAGE_SCRIPT}</script>
</body>
</html>
`;
}
