// memmap maps: what a process has mapped, and how much memory it uses.
import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { type Maps, maps } from '../../index.js';
import { acts, describe, newCommand } from '../common/command.js';
import { ORDERS, type Order, type Row, type MappingTotals, byName, isReservation, rowOf, sorted, sumOf } from './rows.js';
import { tableOf } from './table.js';
import { EXIT, UsageError } from '../common/exit.js';
import { formatBytes, formatCount, formatShare, parseCount } from '../common/units.js';
import type { Terminal } from '../common/terminal.js';

interface MapsCommandOptions {
  readonly sort?: Order;
  readonly by?: 'file' | 'mapping';
  readonly top?: number;
  readonly all?: boolean;
  readonly json?: boolean;
}

/** Lines around the rows of the table: title, head, rest, total, two or three of notes, the prompt. */
const AROUND = 8;
const FEWEST = 5;
const MAX_PID = 2 ** 31 - 1;
/** Pages of the kernel that are the same in each process, and do not count. */
const KERNELS: ReadonlySet<string> = new Set(['[vsyscall]', '[vectors]']);
/** What databases recommend. */
const COMMON_LIMIT = 262_144;
/** Shares of vm.max_map_count. */
const NEAR = 0.7;
const TOO_NEAR = 0.9;

export function mapsCommand(terminal: Terminal): Command {
  const command = newCommand('maps')
    .summary('show the mappings of a process and the memory they use')
    .description('Shows the mappings of a process and the memory they use, file by file, the largest first; and how close the process is to its limit of mappings.')
    .argument('[pid]', "the process ID; 'self' is this command itself")
    .addOption(new Option('-s, --sort <column>', 'sort by this column').choices(ORDERS))
    .addOption(new Option('--by <what>', 'show one row per file or one per mapping (default: file; mapping with --sort address)').choices(['file', 'mapping']))
    .addOption(new Option('-n, --top <count>', 'show at most this many rows (default: what fits the terminal; all when piped)').argParser(parseCount))
    .option('-a, --all', 'show all rows, also those without rights and memory')
    .option('--json', 'print JSON, in bytes')
    .action(acts((pid: string | undefined, options: MapsCommandOptions) => show(terminal, pid, options)));
  return describe(command, {
    examples: [
      { call: 'memmap maps 1234', what: 'what uses the memory of process 1234' },
      { call: 'memmap maps $(pgrep -n node)', what: 'the newest node process' },
      { call: 'memmap maps --by mapping --top 20 1234', what: 'the 20 largest, with addresses' },
      { call: 'memmap maps --sort swap 1234', what: 'what was swapped out' },
      { call: 'memmap maps --all --sort address 1234', what: 'everything, as in /proc/1234/maps' },
      { call: 'memmap maps --json 1234 | jq .total.pss', what: 'a single number' },
    ],
    notes: [
      'RSS is the part of a mapping that is in memory. PSS is the same with each page divided by the number of processes that map it: the PSS of all processes add up to the memory they use. HUGE is in huge pages; those of a pool (hugetlb) are not in RSS. LOCKED is locked by mlock(2). SWAP, HUGE and LOCKED are shown only if there is any.',
      'RIGHTS are those of mmap(2): read, write, execute; s is shared, p private. A file that is mapped with different rights shows mixed.',
      'Mappings without rights and memory are reservations of addresses: runtimes make huge ones. They count against vm.max_map_count, but are in the table only with --all.',
      'The kernel looks at each page to measure a mapping: for a process with hundreds of GiB that takes seconds, in which the process cannot map anything. For processes of other users, run it as root.',
    ],
  });
}

function parsePid(text: string | undefined): number {
  if (text === undefined) throw new UsageError("no process given: memmap maps PID, or memmap maps $(pgrep -n node); 'self' is this command itself");
  if (text === 'self') return process.pid;
  const pid = Number(text);
  if (!/^\d+$/.test(text) || pid < 1 || pid > MAX_PID) throw new UsageError(`'${text}' is not a process ID: memmap maps $(pgrep -n ${/^[\w.-]+$/.test(text) && !/^\d/.test(text) ? text : 'NAME'})`);
  return pid;
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

/** The index of the flags among the words of /proc/PID/stat after the name, which may contain anything. */
const FLAGS = 6;
const PF_KTHREAD = 0x0020_0000;

/** @throws {Error} with a message for the user */
function read(pid: number): Maps {
  let found: Maps;
  try {
    found = maps({ pid, usage: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && readProc(pid, 'stat') === '') throw new Error(`there is no process ${pid}`, { cause: error });
    if (code === 'ESRCH') throw new Error(`process ${pid} ended or started another program while its map was read`, { cause: error });
    if (code === 'EACCES' || code === 'EPERM') throw new Error(`process ${pid} belongs to another user, or may not be traced: sudo memmap maps ${pid}`, { cause: error });
    throw error;
  }
  if (found.count > 0) return found;
  const stat = readProc(pid, 'stat');
  const name = readProc(pid, 'comm').trim();
  const flags = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[FLAGS]);
  if ((flags & PF_KTHREAD) !== 0) throw new Error(`process ${pid} (${name}) is a kernel thread: it has no mappings`);
  throw new Error(stat === '' ? `there is no process ${pid}` : `process ${pid} (${name}) has ended: a zombie has no mappings`);
}

function show(terminal: Terminal, text: string | undefined, options: MapsCommandOptions): number {
  const { all = false, json = false } = options;
  const pid = parsePid(text);
  if (all && options.top !== undefined) throw new UsageError('--all and --top cannot be combined');
  const order = options.sort ?? 'pss';
  const grouped = (options.by ?? (order === 'address' ? 'mapping' : 'file')) === 'file';
  const found = read(pid);
  const single = found.mappings.filter(({ name }) => !KERNELS.has(name ?? '')).map(rowOf);
  const reservations = single.filter(isReservation);
  const shown = all || json ? single : single.filter((row) => !isReservation(row));
  const rows = sorted(grouped ? byName(shown) : shown, order);
  const fit = terminal.isInteractive ? Math.max(FEWEST, terminal.rows - AROUND) : Infinity;
  const top = options.top ?? (all || json ? Infinity : fit);
  const seen = rows.slice(0, top);
  if (json) {
    terminal.json(asJson(pid, found, { rows: seen, grouped, order, total: sumOf(single), reserved: sumOf(reservations) }));
    return EXIT.done;
  }
  const width = terminal.isInteractive || process.env['COLUMNS'] !== undefined ? terminal.width : Infinity;
  terminal.line(terminal.colors.bold(titleOf(pid, width)));
  const contents = { rows: seen, rest: sumOf(rows.slice(top)), total: sumOf(rows), order, grouped };
  for (const line of tableOf(contents, width, terminal)) terminal.line(line);
  if (!all && reservations.length > 0) terminal.line(terminal.colors.dim(reservedLine(sumOf(reservations))));
  for (const line of limitLines(found.count, found.limit, terminal)) terminal.line(line);
  return EXIT.done;
}

/** '1234  node server.js'. */
function titleOf(pid: number, width: number): string {
  const command = readProc(pid, 'cmdline').replaceAll(/[\0\n]/g, ' ').replaceAll(/\p{Cc}/gu, '?').trim();
  return `${pid}  ${command === '' ? readProc(pid, 'comm').trim() : command}`.slice(0, width);
}

function reservedLine({ count, size }: MappingTotals): string {
  return `${formatCount(count)} more without rights or memory: ${formatBytes(size)} of addresses (--all)`;
}

/** How close the process is to its limit of mappings. */
function limitLines(count: number, limit: number, { colors }: Terminal): string[] {
  if (Number.isNaN(limit)) return [`${formatCount(count)} mappings`];
  const text = `${formatCount(count)} of ${formatCount(limit)} mappings (${formatShare(count, limit)})`;
  if (count < NEAR * limit) return [text];
  if (count < TOO_NEAR * limit) return [colors.yellow(`${text}: at the limit mmap(2) fails with ENOMEM`)];
  const more = Math.max(COMMON_LIMIT, 2 * limit);
  return [
    colors.red(`${text}: at the limit mmap(2) fails with ENOMEM`),
    `  ${process.getuid?.() === 0 ? '' : 'sudo '}sysctl -w vm.max_map_count=${more}`,
  ];
}

interface Told {
  readonly rows: readonly Row[];
  readonly grouped: boolean;
  readonly order: Order;
  readonly total: MappingTotals;
  readonly reserved: MappingTotals;
}

function asJson(pid: number, { count, limit }: Maps, { rows, grouped, order, total, reserved }: Told): object {
  return {
    pid,
    command: readProc(pid, 'cmdline').split('\0').slice(0, -1),
    mappings: count,
    limit,
    sort: order,
    by: grouped ? 'file' : 'mapping',
    total,
    reserved: { count: reserved.count, size: reserved.size },
    rows: rows.map(({ start, end, name, rights, count: members, ...sums }) => (grouped ? { name, rights, count: members, ...sums } : { start, end, name, rights: rights[0], ...sums })),
  };
}
