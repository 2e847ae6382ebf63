// The table of docs/ways-out.md: what a runtime does with the bytes of a mapping, tried by test/boundary/sinks/main.mjs.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WAYS, callFor } from '../../boundary/sinks/ways.mjs';
import { runProgram } from '../process/run.mjs';

export const DOCUMENT = 'docs/ways-out.md';
const PROGRAM = fileURLToPath(new URL('../../boundary/sinks/main.mjs', import.meta.url));
const MISSING = '–';
const TRIALS = ['shared', 'array', 'call', 'stream'];

/** Tries the ways out in a runtime: name => { shared, array, call, stream }, each an outcome, 'missing' where `isTried` says no. */
export async function tryWaysOut([program, ...args], isTried = () => true) {
  const folder = mkdtempSync(join(tmpdir(), 'memmap-sinks-'));
  const found = Object.fromEntries(Object.keys(WAYS).map((name) => [name, isTried(name) ? {} : { shared: 'missing', array: 'missing' }]));
  const done = Object.keys(WAYS).filter((name) => !isTried(name)).flatMap((name) => TRIALS.map((what) => [name, what]));
  try {
    for (;;) {
      const { code, signal, stdout, stderr } = await runProgram(program, [...args, PROGRAM, folder, JSON.stringify(done)]);
      const events = stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
      for (const { name, what, outcome } of events) if (name !== undefined) found[name][what] = outcome;
      if (code === 0 && signal === null) return found;
      const last = events.findLast(({ begins }) => begins !== undefined)?.begins;
      if (signal === null || last === undefined) throw new Error(`${program} ended with ${signal ?? code}\n${stderr}`);
      const [name, what] = last;
      found[name][what] = 'crashes';
      done.push(...events.filter(({ begins }) => begins !== undefined).map(({ begins }) => begins));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** 'Node 20', 'Deno 2.9': the column of a runtime. */
export function columnOf({ node, bun, deno }) {
  if (bun !== undefined) return `Bun ${bun.split('.').slice(0, 2).join('.')}`;
  return deno === undefined ? `Node ${node.split('.')[0]}` : `Deno ${deno.split('.').slice(0, 2).join('.')}`;
}

const WORDS = { missing: MISSING, wrong: '**wrong**', crashes: '**crashes**' };
const wordFor = (outcome) => WORDS[outcome] ?? outcome;

/** How a cell says what became of the two buffers: one word, or that of the default one first. */
export function cell({ shared, array }) {
  const [first, second] = [wordFor(shared), wordFor(array)];
  return first === second ? first : `${first} / ${second}`;
}

/** [first, after the last]: the lines of the table in a document. */
function span(lines) {
  const first = lines.findIndex((line) => line.startsWith('| way out |'));
  const rest = lines.slice(first).findIndex((line) => !line.startsWith('|'));
  return [first, first + rest];
}

const cellsOf = (line) => line.split('|').slice(1, -1).map((text) => text.trim());
const isFine = (text) => text === 'right' || text === MISSING;

/** The table of a document: { columns: [name], rows: Map(name => { call, cells: { column: text } }) }. */
export function parseTable(text) {
  const whole = text.split('\n');
  const [head, , ...lines] = whole.slice(...span(whole));
  const columns = cellsOf(head).slice(2);
  const rows = lines.map((line) => {
    const [name, call, ...cells] = cellsOf(line);
    return [name, { call, cells: Object.fromEntries(columns.map((column, i) => [column, cells[i]])) }];
  });
  return { columns, rows: new Map(rows) };
}

/** What the second column says to pass. */
export function passFor(name, cells) {
  return Object.values(cells).every(isFine) ? 'as it is' : callFor(name).text;
}

/** The lines of the table: those that need a call first. */
function tableLines(columns, cellsByName) {
  const rows = Object.keys(WAYS).map((name) => {
    const cells = cellsByName(name);
    return { isFine: Object.values(cells).every(isFine), texts: [name, passFor(name, cells), ...columns.map((column) => cells[column])] };
  });
  const line = (texts) => `| ${texts.join(' | ')} |`;
  return [
    line(['way out', 'pass', ...columns]),
    line(['---', '---', ...columns.map(() => '---')]),
    ...rows.toSorted((a, b) => a.isFine - b.isFine).map(({ texts }) => line(texts)),
  ];
}

/** The document with what was found put in: column => what tryWaysOut() returned. Other columns stay as they are. */
export function withTable(text, found) {
  const old = parseTable(text);
  const columns = [...new Set([...old.columns, ...Object.keys(found)])];
  const cellsByName = (name) => Object.fromEntries(columns.map((column) => {
    const outcomes = found[column]?.[name];
    return [column, outcomes === undefined ? (old.rows.get(name)?.cells[column] ?? MISSING) : cell(outcomes)];
  }));
  const lines = text.split('\n');
  const [first, end] = span(lines);
  return [...lines.slice(0, first), ...tableLines(columns, cellsByName), ...lines.slice(end)].join('\n');
}
