// Compiles lib: to dist as it is shipped, with declarations, and module by module to .unbundled, where
// tests reach what the package does not export.
//
// In dist there is an entry for each way in, and chunks that they share: an import opens few files, and each
// piece of state exists once, whichever way it is reached. Source maps stand beside.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const { dependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** Files of lib that package.json, a worker or the executable leads to. */
const ENTRIES = ['index', 'errors', 'shm/index', 'store/index', 'sys/index', 'cli/main', 'cli/bench/peer'];

for (const folder of ['dist', '.unbundled']) rmSync(join(root, folder), { recursive: true, force: true });
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
const { status } = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.json')], { stdio: 'inherit' });
if (status !== 0) process.exit(1);

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
await bundle.write({
  dir: 'dist',
  format: 'esm',
  sourcemap: true,
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name]-[hash].js',
  codeSplitting: {
    groups: [
      { name: 'errors', test: /[/]lib[/]errors[.]/, priority: 1 }, // without the addon
      { name: 'core', test: /[/]lib[/](?:internal|mem|file)[/]/ },
      { name: 'common', test: /[/]lib[/]cli[/]common[/]/ },
    ],
  },
});
await bundle.close();
