// Bundles lib into dist: an entry for each way in, and chunks that they share, so that an import opens
// few files and each piece of state exists once, whichever way it is reached. Source maps stand beside.
import { readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const { dependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** Files of lib that package.json, a worker or the executable leads to. */
const ENTRIES = ['index', 'errors', 'shm/index', 'store/index', 'sys/index', 'cli/main', 'cli/bench/peer'];

const bundle = await rolldown({
  cwd: root,
  input: Object.fromEntries(ENTRIES.map((entry) => [entry, `lib/${entry}.ts`])),
  platform: 'node',
  preserveEntrySignatures: 'allow-extension',
  transform: { target: 'es2022' },
  // All but what each import would have to open: what finds the addon is bundled.
  external: [/^node:/, ...Object.keys(dependencies).filter((name) => name !== 'node-gyp-build').map((name) => new RegExp(`^${name}(/|$)`))],
  resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
});
rmSync(new URL('../dist/chunks', import.meta.url), { recursive: true, force: true });
await bundle.write({
  dir: 'dist',
  format: 'esm',
  sourcemap: true,
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name]-[hash].js',
  codeSplitting: { groups: [{ name: 'errors', test: /[/]lib[/]errors/, priority: 2 }, { name: 'core', test: /[/]lib[/](?:internal|mem|file)[/]/ }, { name: 'common', test: /[/]lib[/]cli[/](?:common)[/]/ }] },
});
await bundle.close();
