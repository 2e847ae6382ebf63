// Fails where a document, a message or a comment of lib says something in words that a stranger has to read
// twice. CONTRIBUTING.md has the words to use. Usage: check-english.mjs
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** What to say in its place. */
const WORDS = [
  [/(?<!\b(?:[Tt]here|[Hh]ere|[Ww]here) )\bis no (?!longer\b|more\b|less\b|later\b)/g, 'is not a'],
  [/\btells? of\b/g, 'reports'],
  [/\btold of\b/g, 'reported'],
  [/(?<![,;.:] )\bbut for\b/g, 'except for'],
  [/\bAgain: nothing/g, 'Idempotent'],
  [/\bgets? into the way\b/g, 'gets in the way'],
  [/\bwhat of (?!it\b)/g, 'which parts of'],
  [/\bholds? the (?:thread|event loop) up\b/g, 'blocks the thread'],
];

const under = (folder, end) => readdirSync(folder, { recursive: true }).filter((path) => path.endsWith(end)).map((path) => join(folder, path));
const files = ['README.md', 'CONTRIBUTING.md', ...under('docs', '.md'), 'docs/memmap.1', ...under('lib', '.ts')];

for (const file of files) {
  const text = readFileSync(file, 'utf8');
  for (const [pattern, better] of WORDS) {
    for (const { 0: found, index } of text.matchAll(pattern)) {
      const line = text.slice(0, index).split('\n').length;
      console.error(`${file}:${line}: '${found.trim()}': say '${better}'`);
      process.exitCode = 1;
    }
  }
}
