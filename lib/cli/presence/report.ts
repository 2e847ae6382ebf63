// The reports of `memmap presence`: lines for people, JSON for programs.
import { type Counts, NO_COUNTS, type PageState, type Picture, STATES, type StateRun, pictureBytes, countsOf, pagesInMemoryOf, pagesOf } from '../picture/picture.js';
import { formatBytes, formatCount, formatFiles, formatShare } from '../common/units.js';
import { legend, mapLine } from '../picture/ansi.js';
import { jsonPath, quoted } from '../common/names.js';
import type { Terminal } from '../common/terminal.js';

/** The result for a file, or for a mapping of a process. */
export interface Presence {
  readonly path: string;
  /** Bytes of the file, or of the mapping. */
  readonly size: number;
  readonly picture: Picture;
  /** False if this kernel does not report dirty, written and evicted pages (Linux before 6.5). */
  readonly detailed: boolean;
  /** The first address of a mapping. */
  readonly address?: bigint;
}

const WORDS: Partial<Record<PageState, string>> = {
  dirty: 'dirty', writeback: 'being written', mapped: 'in the page tables', swapped: 'swapped', evicted: 'evicted',
};

/** '12 of 40 pages, 30.0%: 48 KiB of 160 KiB; 3 dirty'. */
function counted(counts: Counts, pageSize: number): string {
  const [inMemory, pages] = [pagesInMemoryOf(counts), pagesOf(counts)];
  const details = STATES.flatMap((state) => (WORDS[state] !== undefined && counts[state] > 0 ? [`${formatCount(counts[state])} ${WORDS[state]}`] : []));
  return (
    `${formatCount(inMemory)} of ${formatCount(pages)} pages in memory, ${formatShare(inMemory, pages)}: ` +
    `${formatBytes(inMemory * pageSize)} of ${formatBytes(pages * pageSize)}${details.length > 0 ? `; ${details.join(', ')}` : ''}`
  );
}

/** Totals of all files reported. */
export class Totals {
  files = 0;
  doubtful = 0;
  failures = 0;
  detailed = true;
  #pageSize = 4096;
  readonly #counts = { ...NO_COUNTS } as Record<PageState, number>;

  add({ picture, detailed }: Presence, counts: Counts): void {
    this.files += 1;
    if (picture.doubt !== undefined) this.doubtful += 1;
    if (!detailed) this.detailed = false;
    this.#pageSize = picture.pageSize;
    for (const state of STATES) this.#counts[state] += counts[state];
  }

  get text(): string {
    return counted(this.#counts, this.#pageSize);
  }

  /** For programs. */
  get numbers(): object {
    const { files, doubtful, failures } = this;
    return { files, failures, doubtful, pageSize: this.#pageSize, pages: pagesOf(this.#counts), inMemory: pagesInMemoryOf(this.#counts), byState: this.#counts };
  }
}

/** Reports one file after the other, and the totals at the end. */
export abstract class Report {
  protected readonly terminal: Terminal;
  /** Whether to report only the totals. */
  protected readonly summary: boolean;
  protected readonly totals: Totals = new Totals();

  constructor(terminal: Terminal, summary: boolean) {
    this.terminal = terminal;
    this.summary = summary;
  }

  /** How many files failed. */
  get failures(): number {
    return this.totals.failures;
  }

  file(presence: Presence): void {
    const counts = countsOf(presence.picture);
    this.totals.add(presence, counts);
    if (!this.summary) this.tell(presence, counts);
  }

  failure(path: string, message: string): void {
    this.totals.failures += 1;
    this.tellFailure(path, message);
  }

  protected abstract tell(presence: Presence, counts: Counts): void;
  protected abstract tellFailure(path: string, message: string): void;
  abstract end(): void;
}

export class TextReport extends Report {
  /** One run for each state that occurs, for the legend: the runs of a million files would not fit. */
  readonly #states = new Map<PageState, StateRun>();

  protected override tell({ path, picture }: Presence, counts: Counts): void {
    const { colors } = this.terminal;
    for (const run of picture.runs) if (!this.#states.has(run.state)) this.#states.set(run.state, run);
    // The title of a mapping has more than the path.
    this.terminal.line(colors.bold(this.terminal.name(path) + picture.title.slice(path.length)));
    if (pictureBytes(picture) > 0) this.terminal.line(`  ${mapLine(picture, this.terminal.width - 2, this.terminal)}`);
    this.terminal.line(`  ${pictureBytes(picture) === 0 ? 'empty' : counted(counts, picture.pageSize)}`);
    if (picture.doubt !== undefined) this.terminal.line(`  ${colors.yellow(`unreliable: ${picture.doubt}`)}`);
  }

  protected override tellFailure(path: string, message: string): void {
    if (quoted(path) === path && message.includes(path)) this.terminal.complain(message);
    else this.terminal.complainOf(path, message);
  }

  override end(): void {
    const totals = this.totals;
    if (this.#states.size > 0) {
      const runs = [...this.#states.values()];
      this.terminal.line(`\n  ${legend([{ title: '', pageSize: 1, runs }], this.terminal)}`);
    }
    if (totals.files > 1 || this.summary) this.terminal.line(`${formatFiles(totals.files)}: ${totals.text}`);
    if (totals.doubtful > 0 && (totals.files > 1 || this.summary)) {
      this.terminal.line(`${formatFiles(totals.doubtful)} of them unreliable: you neither own them nor may write to them, so the kernel reports every page as resident`);
    }
    if (totals.files === 0 && totals.failures === 0) this.terminal.line('no files');
    if (!totals.detailed) this.terminal.line('this kernel does not report dirty, written and evicted pages: Linux 6.5 does, on most file systems');
  }
}

/** One JSON object, written file by file, so that a million files need not be in memory. */
export class JsonReport extends Report {
  readonly #failed: object[] = [];
  #begun = false;

  protected override tell({ path, size, picture, detailed, address }: Presence, counts: Counts): void {
    const [first] = picture.runs;
    const told = {
      ...jsonPath(path),
      ...(address !== undefined && { address: `0x${address.toString(16)}` }),
      size,
      offset: first?.offset ?? 0,
      length: pictureBytes(picture),
      pageSize: picture.pageSize,
      pages: pagesOf(counts),
      inMemory: pagesInMemoryOf(counts),
      byState: counts,
      detailed,
      trust: picture.doubt === undefined ? 'exact' : 'claimed',
      ...(picture.doubt !== undefined && { doubt: picture.doubt }),
      runs: picture.runs,
    };
    this.terminal.write(`${this.#begun ? ',' : '{"files":['}\n${JSON.stringify(told)}`);
    this.#begun = true;
  }

  protected override tellFailure(path: string, message: string): void {
    this.#failed.push({ ...jsonPath(path), message });
  }

  override end(): void {
    const rest = JSON.stringify({ failures: this.#failed, total: this.totals.numbers }).slice(1);
    this.terminal.line(`${this.#begun ? '\n],' : '{"files":[],'}${rest}`);
  }
}
