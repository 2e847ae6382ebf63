// Debian packages: installed on this machine, or only downloaded and unpacked. Where they come
// from is read from apt, whose own sources are not changed: the lists of other releases and
// architectures are kept in the cache.
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { command, has } from './command.mjs';

const DAY = 24 * 3600 * 1000;

/** Matches no name. */
const NOTHING = /(?!)/;

/** The package of each program needed here. */
const PROGRAMS = {
  amd64: { 'qemu-system-x86_64': ['qemu-system-x86'] },
  arm64: {
    'qemu-system-aarch64': ['qemu-system-arm'],
    'aarch64-linux-gnu-g++': ['g++-aarch64-linux-gnu'],
  },
  both: { cpio: ['cpio'], depmod: ['kmod'], xz: ['xz-utils'], mke2fs: ['e2fsprogs'] },
};

/** Older lists name point releases that are gone from the archive. */
const isStale = (path) => !existsSync(path) || Date.now() - statSync(path).mtimeMs > DAY;

let updated = false;

function update() {
  if (updated) return;
  command('apt-get', ['update', '-qq']);
  updated = true;
}

/** Sees to the programs for kernels of these architectures. Needs root if one is missing. */
export function installPrograms(architectures) {
  const wanted = Object.assign({}, PROGRAMS.both, ...architectures.map((name) => PROGRAMS[name]));
  const missing = Object.keys(wanted).filter((program) => !has(program));
  if (missing.length === 0) return;
  const packages = missing.flatMap((program) => wanted[program]);
  console.log(`installing ${packages.join(' ')}`);
  const install = ['install', '-y', '-qq', '--no-install-recommends', ...packages];
  try {
    command('apt-get', install);
  } catch {
    update();
    command('apt-get', install);
  }
}

/** The packages of one release and architecture; `cache` is a folder. */
export class Archive {
  #options;
  #debs;

  constructor(cache, { release, architecture }) {
    this.#debs = join(cache, 'debs', architecture);
    mkdirSync(this.#debs, { recursive: true });
    const isOwn = release === undefined && architecture === hostArchitecture();
    this.#options = isOwn ? ownLists() : privateLists(join(cache, 'apt'), { release, architecture });
  }

  #apt(tool, args, options) {
    return command(tool, ['-o', 'APT::Sandbox::User=root', ...this.#options, ...args], options);
  }

  /** The kernel package that a meta package stands for today. */
  kernelOf(meta) {
    const [, name] = /Depends: (linux-image-\S+)/.exec(this.#apt('apt-cache', ['depends', meta])) ?? [];
    if (name === undefined) throw new Error(`the archive has no ${meta}`);
    return name;
  }

  /** Name and version as the archive has them: what a package that is unpacked is known by. */
  versionOf(name) {
    const [, version] = /^Version: (.*)$/m.exec(this.#apt('apt-cache', ['show', '--no-all-versions', name])) ?? [];
    if (version === undefined) throw new Error(`the archive has no ${name}`);
    return `${name} ${version}`;
  }

  /** Unpacks a package, and those it depends on whose names match, into `folder`. */
  unpack(name, folder, dependencies = NOTHING) {
    const deb = this.#download(name);
    command('dpkg-deb', ['--extract', deb, folder]);
    const depends = command('dpkg-deb', ['--field', deb, 'Depends']);
    const names = depends.split(',').map((entry) => entry.trim().split(/[ (|]/)[0]);
    for (const other of names.filter((entry) => dependencies.test(entry))) this.unpack(other, folder, dependencies);
  }

  #download(name) {
    const folder = join(this.#debs, this.versionOf(name).replaceAll(/[^\w.+-]/g, '_'));
    const deb = () => readdirSync(folder).find((file) => file.endsWith('.deb'));
    mkdirSync(folder, { recursive: true });
    if (deb() === undefined) this.#apt('apt-get', ['download', '-qq', name], { cwd: folder });
    return join(folder, deb());
  }
}

function hostArchitecture() {
  return command('dpkg', ['--print-architecture']).trim();
}

/** The lists of this machine, renewed if they are old. */
function ownLists() {
  const lists = '/var/lib/apt/lists';
  // The lists bear the dates of the archive; the folder that they pass through, that of the update.
  if (isStale(join(lists, 'partial')) || !readdirSync(lists).some((name) => name.endsWith('Release'))) update();
  return [];
}

/** Options for apt under which it sees one other release, or architecture, and nothing else. */
function privateLists(apt, { release, architecture }) {
  const folder = join(apt, `${release ?? 'own'}-${architecture}`);
  const sources = join(folder, 'sources.list');
  for (const name of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(folder, name), { recursive: true });
  const options = [
    `Dir::Etc::sourcelist=${sources}`, 'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::Lists=${join(folder, 'lists')}`, `Dir::Cache=${join(folder, 'cache')}`,
    `APT::Architecture=${architecture}`, `APT::Architectures=${architecture}`,
    // What is installed here says nothing about that machine.
    'Dir::State::status=/dev/null', 'Acquire::Languages=none',
  ].flatMap((option) => ['-o', option]);
  const done = join(folder, 'updated');
  if (isStale(done)) {
    writeFileSync(sources, sourcesOf(release, architecture));
    command('apt-get', ['-o', 'APT::Sandbox::User=root', ...options, 'update', '-qq']);
    writeFileSync(done, '');
  }
  return options;
}

/** sources.list for a release, from the mirror that this machine uses. */
function sourcesOf(release, architecture) {
  const targets = command('apt-get', ['indextargets', '--format', '$(REPO_URI) $(CODENAME)']).trim().split('\n');
  const mirrors = [...new Set(targets)].map((line) => line.split(' '));
  const uses = release === undefined
    ? mirrors // its own releases, of another architecture
    : mirrors.filter(([uri]) => /-security\/?$/.test(uri) === release.endsWith('-security')).slice(0, 1).map(([uri]) => [uri, release]);
  if (uses.length === 0) throw new Error(`apt has no mirror from which ${release ?? architecture} could come`);
  return uses.map(([uri, codename]) => `deb [arch=${architecture}] ${uri} ${codename} main\n`).join('');
}
