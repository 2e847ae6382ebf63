// The two commands of the README where nothing is but what building takes: in a copy of the project
// as a clone has it, with a PATH of what Debian always has, and Node, npm, python3, make and g++.
// Usage: fresh-machine.mjs. Exits 1 if one of them fails.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { copyCheckout } from './checkout.mjs';

export const README = { demo: 'npm ci && npm run demo', test: 'npm ci && npm test' };

/** Packages from which a build takes programs, and programs of Node, which may come from elsewhere. */
const PACKAGES = ['g++', 'make', 'python3'];
const PROGRAMS = ['node', 'npm', 'npx', 'python3', 'make', 'g++'];

/** What CI installs for tests and lint. */
const TOOLS = readFileSync(new URL('tools.txt', import.meta.url), 'utf8').split('\n').filter(Boolean);

/** The names of installed packages that are essential or required, of PACKAGES, and of all they depend on. */
function packagesOfDebian() {
  const format = '${Package}\t${Essential}\t${Priority}\t${Pre-Depends},${Depends}\n';
  const installed = new Map();
  for (const line of execFileSync('dpkg-query', ['-W', '-f', format], { encoding: 'utf8' }).trim().split('\n')) {
    const [name, essential, priority, depends] = line.split('\t');
    const needs = depends.split(/[,|]/).map((one) => one.trim().split(/[ :]/)[0]);
    installed.set(name, { always: essential === 'yes' || priority === 'required', needs });
  }
  const chosen = new Set();
  const queue = [...PACKAGES, ...[...installed].filter(([, { always }]) => always).map(([name]) => name)];
  for (const name of queue) {
    if (chosen.has(name) || !installed.has(name)) continue;
    chosen.add(name);
    queue.push(...installed.get(name).needs);
  }
  return [...chosen];
}

const realPath = (path) => (existsSync(path) ? realpathSync(path) : undefined);

/** The path of a program here; of python3 the interpreter, not the script of a version manager. */
function find(name) {
  if (name === 'python3') return realpathSync(execFileSync(name, ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim());
  const path = process.env.PATH.split(delimiter).map((folder) => join(folder, name)).find((one) => existsSync(one));
  if (path === undefined) throw new Error(`no ${name} on PATH`);
  return realpathSync(path);
}

/** Fills a folder with links to the programs. */
function linkPrograms(folder) {
  const files = execFileSync('dpkg-query', ['-L', ...packagesOfDebian()], { encoding: 'utf8', maxBuffer: 2 ** 28 });
  const owned = new Set(files.split('\n').filter((path) => /\/s?bin\//.test(path)).map(realPath));
  const folders = [...new Set(['/usr/bin', '/usr/sbin', '/bin', '/sbin'].filter((one) => existsSync(one)).map((one) => realpathSync(one)))];
  const programs = new Map(folders.flatMap((one) => readdirSync(one).map((name) => [name, realPath(join(one, name))])));
  for (const [name, path] of programs) if (path !== undefined && owned.has(path)) symlinkSync(path, join(folder, name));
  for (const name of PROGRAMS) if (!existsSync(join(folder, name))) symlinkSync(find(name), join(folder, name));
  for (const name of TOOLS) if (existsSync(join(folder, name))) throw new Error(`${name} is on the PATH of a fresh machine`);
}

/** Makes one, in a folder of its own: { folder, project, env, remove() }, with the environment to run commands in. */
export function freshMachine() {
  const folder = mkdtempSync(join(tmpdir(), 'memmap-fresh-'));
  chmodSync(folder, 0o755); // some tests become another user
  const [bin, project] = [join(folder, 'bin'), join(folder, 'memmap')];
  mkdirSync(bin);
  linkPrograms(bin);
  copyCheckout(project);
  return { folder, project, env: { ...process.env, PATH: bin }, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

if (process.argv[1] === import.meta.filename) {
  const { project, env, remove } = freshMachine();
  try {
    for (const command of Object.values(README)) {
      console.log(`\n$ ${command}`);
      if (spawnSync('sh', ['-c', command], { cwd: project, env, stdio: 'inherit' }).status !== 0) process.exitCode = 1;
    }
  } finally {
    remove();
  }
}
