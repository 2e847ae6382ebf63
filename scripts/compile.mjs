// Compiles lib: to dist as it is shipped, with declarations, and module by module to .unbundled, where
// tests reach what the package does not export.
//
// In dist there is an entry for each way in, and chunks that they share: an import opens few files, and each
// piece of state exists once, whichever way it is reached. Source maps stand beside.
//
// The script and the style of the HTML page are in both as the text that the page contains.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const { dependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** Files of lib that package.json, a worker or the executable leads to. */
const ENTRIES = ['index', 'errors', 'http/index', 'shm/index', 'store/index', 'sys/index', 'cli/main', 'cli/bench/peer'];

/** Code of the browser, with a tsconfig.json of its own. */
const BROWSER = 'lib/cli/picture/html/browser';
/** What lib imports of it: './browser-text.js'. */
const BROWSER_TEXT = join(root, '.unbundled/cli/picture/html/browser-text.js');

/** What stands in the place of a global: a vm context may have none of its own. */
const DISPOSE = join(root, 'lib/internal/realms/dispose.ts');
const INJECTED = { 'Symbol.dispose': [DISPOSE, 'dispose'], 'Symbol.asyncDispose': [DISPOSE, 'asyncDispose'] };

const RESOLVE = { extensionAlias: { '.js': ['.ts', '.js'] } };

/**
 * An import of a module of Node copies each of its exports, and loads what they are lazy about: streams and promises of
 * node:fs, 3 ms. So node:fs is asked for by a call, and what is replaced in it stays visible, as through an import. Of the
 * modules that nobody replaces parts of, only the parts are taken.
 */
const FS = '\0node:fs';
const PURE_IMPORT = /^import [{] (.*) [}] from "(node:(?:buffer|events|module|path|url|util))";$/gm;

/** The engine compiles text of one byte a character faster: one character of more makes two of all. */
const escape = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** Lines stay where they are, for the source map. */
function takeParts(chunk) {
  if (chunk.type !== 'chunk') return;
  chunk.code = chunk.code.replaceAll(/[^\0-\x7F]/g, escape).replaceAll(PURE_IMPORT, (_, names, specifier) => `const { ${names.replaceAll(' as ', ': ')} } = process.getBuiltinModule("${specifier}");`);
}

const builtinFs = {
  name: 'builtin-fs',
  resolveId: (id) => (id === 'node:fs' ? FS : undefined),
  load: (id) => (id === FS ? "module.exports = process.getBuiltinModule('node:fs');" : undefined),
};

for (const folder of ['dist', '.unbundled']) rmSync(join(root, folder), { recursive: true, force: true });
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
for (const project of ['.', BROWSER]) {
  const { status } = spawnSync(process.execPath, [tsc, '-p', join(root, project)], { stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}

const page = await rolldown({ cwd: root, input: `${BROWSER}/main.ts`, platform: 'browser', transform: { target: 'es2022' }, resolve: RESOLVE });
const { output: [{ code }] } = await page.generate({ format: 'iife' });
await page.close();
const texts = { SCRIPT: code, STYLE: readFileSync(join(root, BROWSER, 'style.css'), 'utf8') };
writeFileSync(BROWSER_TEXT, Object.entries(texts).map(([name, text]) => `export const ${name} = ${JSON.stringify(text)};\n`).join(''));

const bundle = await rolldown({
  cwd: root,
  input: Object.fromEntries(ENTRIES.map((entry) => [entry, `lib/${entry}.ts`])),
  platform: 'node',
  preserveEntrySignatures: 'allow-extension',
  transform: { target: 'es2022', inject: INJECTED },
  external: [/^node:(?!fs$)/, ...Object.keys(dependencies).map((name) => new RegExp(`^${name}(/|$)`))],
  resolve: RESOLVE,
  plugins: [builtinFs, { name: 'browser-text', resolveId: (id) => (id === './browser-text.js' ? BROWSER_TEXT : undefined) }],
});
await bundle.write({
  dir: 'dist',
  format: 'esm',
  sourcemap: true,
  comments: false,
  plugins: [{ name: 'parts-of-builtins', generateBundle: (_, files) => Object.values(files).forEach(takeParts) }],
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name]-[hash].js',
  codeSplitting: {
    groups: [
      { name: 'errors', test: (id) => id === FS || /[/]lib[/]errors[.]/.test(id), priority: 1 }, // without the addon
      { name: 'core', test: /[/]lib[/](?:index[.]|(?:internal|mem|file)[/])/ },
      { name: 'common', test: /[/]lib[/]cli[/]common[/]/ },
    ],
  },
});
await bundle.close();
