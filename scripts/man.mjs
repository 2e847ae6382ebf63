// Writes docs/memmap.1 from the commands of dist: npm run man.
import { readFileSync, writeFileSync } from 'node:fs';
import { manPageOf } from '../.unbundled/cli/shell/man-page.js';
import { programOf } from '../.unbundled/cli/program.js';
import { Terminal } from '../.unbundled/cli/common/terminal.js';

const path = new URL('../docs/memmap.1', import.meta.url);
const DATE = /^(\.TH \S+ \d )(\S+)/m;

function written() {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return '';
  }
}

const page = manPageOf(programOf(new Terminal()), new Date().toISOString().slice(0, 10));
const before = written();
// The date is that of the last change: a page that says the same keeps it.
if (before.replace(DATE, '$1') !== page.replace(DATE, '$1')) writeFileSync(path, page);
