// What `memmap presence` shows in a real terminal: the map that fits it, in colour, and live:
// lib/cli/common/terminal.ts, lib/cli/picture/ansi.ts, lib/cli/presence/presence.ts.
import assert from 'node:assert/strict';
import { closeSync, openSync, writeSync } from 'node:fs';
import { MEMMAP, evictPages, memmap, readPages } from '../../support/cli/cli.mjs';
import { closedAfterEach } from '../../support/descriptors.mjs';
import { despiteReclaim } from '../../support/kernel/reclaim.mjs';
import { temporaryFiles } from '../../support/temp.mjs';
import { Screen } from '../../support/cli/tmux.mjs';
import { needsTools } from '../../support/process/tools.mjs';

const PAGE = 4096;
const ENDED = /ended with/;
const GREEN = '\x1b[32m';
const RED = '\x1b[31m';

describe('the map in a terminal', function () {
  despiteReclaim(this);
  this.timeout(60_000);
  const file = temporaryFiles();
  const keep = closedAfterEach();

  before(function () {
    needsTools(this, 'tmux');
  });

  /** 156 pages: the first 39 in memory, then 39 that are not, then every second one. */
  function patterned(name) {
    const path = file(name, Buffer.alloc(156 * PAGE, 1));
    evictPages(path);
    readPages(path, [[0, 39], ...Array.from({ length: 39 }, (_, i) => [78 + 2 * i, 79 + 2 * i])]);
    return path;
  }

  const screen = (args, options) => keep(new Screen([process.execPath, MEMMAP, 'presence', ...args], options));
  /** The line of the map. */
  const mapOf = (text) => text.split('\n').find((line) => /^ {2}[█▓▒░·#+:.@*]/.test(line))?.trim();

  it('has a block for so many pages as its width asks for', async () => {
    const path = patterned('map');
    for (const [columns, expected] of [
      [80, '█'.repeat(19) + '▓' + '·'.repeat(19) + '▓'.repeat(39)],
      [158, '█'.repeat(39) + '·'.repeat(39) + '█·'.repeat(39)],
      [200, '█'.repeat(39) + '·'.repeat(39) + '█·'.repeat(39)],
    ]) {
      const text = await screen([path], { columns }).shows(ENDED);
      assert.equal(mapOf(text), expected, `${columns} columns`);
      assert.ok(text.split('\n').every((line) => [...line].length <= columns));
      assert.match(text, /78 of 156 pages in memory, 50\.0%: 312 KiB of 624 KiB/);
    }
  });

  it('is green where pages are in memory, red where they are dirty', async () => {
    const path = patterned('colours');
    const fd = openSync(path, 'r+');
    writeSync(fd, 'x'.repeat(PAGE), 5 * PAGE);
    const terminal = screen([path], { columns: 158 });
    await terminal.shows(ENDED);
    const line = terminal.coloured.split('\n').find((one) => one.includes('█'));
    closeSync(fd);
    assert.ok(line.includes(`${GREEN}█████`), JSON.stringify(line));
    assert.ok(line.includes(`${RED}█`), JSON.stringify(line));
  });

  it('is ASCII without colour where that is asked for, and where there is not a terminal', async () => {
    const path = patterned('plain');
    const expected = '#'.repeat(39) + '.'.repeat(39) + '#.'.repeat(39);
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
      const terminal = screen([path], { columns: 158, env });
      assert.equal(mapOf(await terminal.shows(ENDED)), expected);
      assert.ok(!terminal.coloured.includes('\x1b['));
    }
    const { stdout } = memmap(['presence', path], { env: { COLUMNS: '158' } });
    assert.equal(mapOf(stdout), expected);
    assert.match(stdout, /^[\n -~]*$/);
    assert.equal(mapOf(memmap(['presence', path]).stdout), '#'.repeat(19) + '+' + '.'.repeat(19) + '+'.repeat(39));
    const { stdout: forced } = memmap(['presence', path], { env: { COLUMNS: '158', FORCE_COLOR: '1' } });
    assert.ok(forced.includes(GREEN));
  });

  it('follows what happens, and gives the screen back', async () => {
    const path = patterned('live');
    const shell = keep(new Screen(['bash', '--norc'], { columns: 100, rows: 12, env: { PS1: 'prompt$ ' } }));
    await shell.shows(/prompt\$/);
    shell.press('-l', `clear; echo before; ${process.execPath} ${MEMMAP} presence --interval 100ms ${path}`);
    shell.press('Enter');
    await shell.shows(/78 of 156 pages/);
    assert.ok(!shell.text.includes('before') && !shell.hasCursor);
    readPages(path, [[0, 156]]);
    await shell.shows(/156 of 156 pages in memory, 100%/);
    evictPages(path);
    await shell.shows(/0 of 156 pages in memory, 0%/);
    shell.resize(60, 10);
    await shell.shows((text) => mapOf(text)?.length === 52);
    shell.press('C-c');
    await shell.shows(/before/);
    shell.press('-l', 'echo "code $?"');
    shell.press('Enter');
    await shell.shows(/^code 0$/m);
    assert.ok(shell.hasCursor);
  });
});
