// memmap lock: keeps files in memory until SIGINT or SIGTERM.
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import type { Command } from 'commander';
import { type FileMapping, mapFile, touch } from '../../index.js';
import { PAGE_SIZE } from '../../sys/index.js';
import { acts, describe, newCommand } from '../common/command.js';
import { lockObstacle } from './limit.js';
import { EXIT, interruptible, messageOf } from '../common/exit.js';
import { nameOf, pathNamed } from '../common/names.js';
import { takePidFile } from './pid-file.js';
import { ProgressBar } from '../common/progress.js';
import { Service } from './systemd.js';
import { formatBytes, formatCount, formatFiles } from '../common/units.js';
import { type Target, type TargetOptions, Targets, clip, withTargets } from '../common/targets.js';
import type { Terminal } from '../common/terminal.js';
import { type SummaryOptions, withSummary } from '../common/batch.js';

interface LockCommandOptions extends TargetOptions, SummaryOptions {
  readonly pidfile?: string;
}

const UNIT = `[Unit]
Description=Keep the index in memory

[Service]
Type=notify
NotifyAccess=all
ExecStart=/usr/bin/memmap lock --quiet /srv/index
LimitMEMLOCK=infinity
Restart=on-failure

[Install]
WantedBy=multi-user.target`;

export function lockCommand(terminal: Terminal): Command {
  const command = withSummary(withTargets(newCommand('lock')))
    .summary('keep files in memory')
    .description('Reads files into memory and keeps them there until SIGINT or SIGTERM.')
    .option('--pidfile <file>', 'write the process ID to this file; fail if a running process holds it; remove it on exit')
    .action(acts((paths: string[], options: LockCommandOptions) => lockTargets(terminal, paths, options)));
  return describe(command, {
    examples: [
      { call: 'memmap lock /srv/index', what: 'until Ctrl+C' },
      { call: 'memmap lock -p 0-64M *.db', what: 'the first 64 MiB of each' },
      { call: 'memmap lock --pidfile /run/hot.pid -q -b list', what: 'a service without systemd' },
    ],
    notes: [
      'Stays in the foreground. It needs CAP_IPC_LOCK, or a limit on locked memory (ulimit -l, LimitMEMLOCK=) of at least the size of the files, each rounded up to pages; it checks this before it reads anything. Each file needs a mapping, of which vm.max_map_count permits 65530 by default.',
      'It locks the pages that the files have when it starts. Files may be written, truncated or removed meanwhile: truncated pages are freed, appended pages are not locked, and a file that replaces another is not noticed until a restart.',
      'After SIGINT or SIGTERM it exits with 0; with 1 if some files could not be locked; with 130 if it had not finished locking.',
      'Under systemd, with NOTIFY_SOCKET set, it reports when everything is locked (READY=1), how much, and when it stops. It uses the program systemd-notify, hence NotifyAccess=all. With Type=exec this is not needed, but the unit counts as started before the files are locked.',
      `An example unit:\n\n${UNIT}`,
    ],
  });
}

/** A part of a file. */
interface LockedPart extends Target {
  readonly offset: number;
  readonly length: number;
}

/** Bytes locked at a time: between two pieces signals are handled. */
const PIECE = 2 ** 26;

/** The parts of files to lock, and those that are locked. */
class Lock {
  readonly parts: LockedPart[] = [];
  readonly mappings: FileMapping[] = [];
  readonly bar: ProgressBar;
  failed = 0;
  /** Bytes of files that are locked. */
  bytes = 0;
  readonly #terminal: Terminal;

  constructor(terminal: Terminal, paths: readonly string[], options: TargetOptions) {
    this.#terminal = terminal;
    this.bar = new ProgressBar(terminal, 'reading', 0);
    for (const target of new Targets(paths, options, (path, error) => this.#fail(path, error))) {
      const part = clip(target, options.range);
      if (part === undefined || part.length === 0) continue;
      this.parts.push({ ...target, ...part });
      this.bar.grow(part.length);
    }
  }

  #fail(path: string, error: unknown): void {
    this.failed += 1;
    this.bar.aside(() => this.#terminal.complainOf(path, messageOf(error)));
  }

  /** Bytes of all parts, in whole pages. */
  get needed(): number {
    const pages = ({ offset, length }: LockedPart): number => Math.ceil((offset + length) / PAGE_SIZE) - Math.floor(offset / PAGE_SIZE);
    return this.parts.reduce((sum, part) => sum + pages(part) * PAGE_SIZE, 0);
  }

  /** Reads several files at a time, so that locking finds them in memory. A file that cannot be read fails when it is locked. */
  async read(range: TargetOptions['range'], signal: AbortSignal): Promise<void> {
    const counted = new Map<string, number>();
    const count = (path: string | Uint8Array, done: number): void => {
      const name = nameOf(path);
      this.bar.advance(done - (counted.get(name) ?? 0));
      counted.set(name, done);
    };
    await touch(
      this.parts.map(({ path }) => pathNamed(path)),
      { ...range, signal, onFile: ({ path }, index) => count(path, this.parts[index]?.length ?? 0), onProgress: ({ path, done }) => count(path, done) },
    );
  }

  async lock(signal: AbortSignal): Promise<void> {
    for (const part of this.parts) {
      await setImmediate();
      signal.throwIfAborted();
      try {
        await this.#lockPart(part, signal);
      } catch (error) {
        signal.throwIfAborted();
        this.#fail(part.path, error);
      }
    }
  }

  async #lockPart({ path, offset, length }: LockedPart, signal: AbortSignal): Promise<void> {
    const mapping = mapFile(pathNamed(path), { noReserve: true });
    try {
      const end = Math.min(offset + length, mapping.length);
      for (let at = offset; at < end; at += PIECE) {
        if (at > offset) await setImmediate();
        signal.throwIfAborted();
        mapping.lock({ offset: at, length: Math.min(PIECE, end - at) });
      }
      this.bytes += Math.max(0, end - offset);
    } catch (error) {
      mapping.close();
      throw error;
    }
    this.mappings.push(mapping);
  }

  close(): void {
    for (const mapping of this.mappings) mapping.close();
  }
}

async function lockTargets(terminal: Terminal, paths: string[], options: LockCommandOptions): Promise<number> {
  const { range, pidfile, quiet = false, json = false } = options;
  const lock = new Lock(terminal, paths, options);
  const obstacle = lockObstacle(lock.needed);
  if (obstacle !== undefined) throw new Error(obstacle);
  const service = new Service((text) => terminal.complain(text));
  let release: (() => void) | undefined;
  let holding = false;
  try {
    const code = await interruptible(async (signal) => {
      // At once: a second signal ends the process immediately.
      signal.addEventListener('abort', () => {
        lock.bar.stop();
        release?.();
      });
      release = pidfile === undefined ? undefined : takePidFile(pidfile);
      await lock.read(range, signal);
      await lock.lock(signal);
      lock.bar.stop();
      if (lock.mappings.length === 0 && lock.failed > 0) return EXIT.failed;
      const text = `${formatFiles(lock.mappings.length)}, ${formatBytes(lock.bytes)} locked${lock.failed === 0 ? '' : `; ${formatCount(lock.failed)} failed`}`;
      if (json) terminal.json({ files: lock.mappings.length, bytes: lock.bytes, failed: lock.failed, pid: process.pid });
      else if (!quiet) terminal.line(text);
      service.ready(text);
      holding = true;
      await heldUntil(signal);
      return EXIT.done;
    });
    if (!holding) return code;
    service.stopping();
    return lock.failed > 0 ? EXIT.failed : EXIT.done;
  } finally {
    lock.bar.stop();
    lock.close();
    release?.();
  }
}

/** Waits for the signal. A timer keeps the process alive, which mappings do not. */
async function heldUntil(signal: AbortSignal): Promise<void> {
  const awake = setInterval(() => undefined, 2 ** 30);
  if (!signal.aborted) await once(signal, 'abort');
  clearInterval(awake);
}
