// Whatever takes bytes gets those of the mapping, or docs/ways-out.md says what becomes of them and what to pass in their
// place: lib/mem/copy.ts, lib/mem/pages.ts, lib/mem/stream.ts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mapFile } from 'memmap';
import { ADDONS } from './sinks/addons.mjs';
import { WAYS } from './sinks/ways.mjs';
import { DOCUMENT, cell, columnOf, parseTable, passFor, tryWaysOut } from '../support/boundary/ways-out.mjs';
import { needsPackage, runtimeCommand } from '../support/process/packages.mjs';
import { hasExternalBuffers } from '../support/process/runtime.mjs';
import { skip } from '../support/hooks.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const { columns, rows } = parseTable(readFileSync(DOCUMENT, 'utf8'));

/** Needs a server of a package. */
const NEEDS_PACKAGE = new Set([...Object.keys(ADDONS), 'WebSocket.send()']);

/** Whether the dynamic linker loads nothing else first: what is loaded is for this Node, not for other programs and libraries. */
const isPlain = process.env.LD_AUDIT === undefined && process.env.LD_PRELOAD === undefined;

/** What a runtime does with some of the ways out, beside what the table says: [found, said], each { name: text }. */
function compared(found, column, isMeant) {
  const names = Object.keys(WAYS).filter((name) => isMeant(name) && found[name].shared !== 'missing');
  const said = names.map((name) => {
    const text = rows.get(name).cells[column];
    return [name, hasExternalBuffers ? text : text.split(' / ')[0]];
  });
  const seen = names.map((name) => [name, cell(hasExternalBuffers ? found[name] : { shared: found[name].shared, array: found[name].shared })]);
  return [Object.fromEntries(seen), Object.fromEntries(said)];
}

/** Asserts what the table says of the runtime, and that what it says to pass is right there. */
function assertSaid(found, column, isMeant) {
  const [seen, said] = compared(found, column, isMeant);
  assert.deepEqual(seen, said, `npm run ways-out writes the table anew`);
  for (const name of Object.keys(seen)) {
    if (isMeant(name)) assert.deepEqual([name, found[name].call, found[name].stream], [name, 'right', 'right']);
  }
  return Object.keys(seen).length;
}

describe('every way out of the process', () => {
  const file = temporaryFiles();

  it('is in the table of docs/ways-out.md, with what to pass where some runtime is not right', () => {
    assert.deepEqual([...rows.keys()].toSorted(), Object.keys(WAYS).toSorted());
    for (const [name, { call, cells }] of rows) {
      assert.equal(call, passFor(name, cells), name);
      for (const text of Object.values(cells)) {
        for (const word of text.split(' / ')) assert.match(word, /^(?:right|throws|taken|–|\*\*(?:wrong|crashes)\*\*)$/, name);
      }
    }
  });

  describe('on this runtime', () => {
    const column = columnOf(process.versions);
    let found;

    before(async function () {
      if (!columns.includes(column)) skip(this, `docs/ways-out.md has no column for ${column}`);
      found = await tryWaysOut([process.execPath], (name) => isPlain || !NEEDS_PACKAGE.has(name));
    });

    it('does what the table says', () => {
      const isMeant = (name) => !NEEDS_PACKAGE.has(name);
      const least = [...rows].filter(([name, { cells }]) => isMeant(name) && cells[column] !== '–').length;
      assert.equal(assertSaid(found, column, isMeant), least);
    });

    it('does what the table says, into packages and addons', function () {
      if (!isPlain) skip(this, 'addons of others are not for a preloaded library');
      for (const name of ['ws', 'undici', 'lmdb', 'sharp', 'sodium-native', 'better-sqlite3', '@toondepauw/node-zstd']) needsPackage(this, name);
      const isMeant = (name) => NEEDS_PACKAGE.has(name);
      const least = [...rows].filter(([name, { cells }]) => isMeant(name) && cells[column] !== '–').length;
      assert.equal(assertSaid(found, column, isMeant), least);
    });
  });

  for (const name of ['Bun', 'Deno']) {
    it(`does on ${name} what the table says`, async function () {
      if (!isPlain) skip(this, `${name} is not for a preloaded library`);
      const command = needsPackage(this, name, runtimeCommand(name));
      const column = columns.find((one) => one.startsWith(name));
      const least = [...rows.values()].filter(({ cells }) => cells[column] !== '–').length;
      assert.equal(assertSaid(await tryWaysOut(command), column, () => true), least);
    });
  }

  it('can be given a copy of copyOut(), whose memory no other Buffer has', () => {
    const mapping = mapFile(file('source', 'content'));
    const copy = mapping.copyOut(0, mapping.length);
    mapping.close();
    assert.equal(copy.buffer.byteLength, copy.length);
  });
});
