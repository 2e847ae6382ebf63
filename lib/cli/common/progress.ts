// Shows the progress of long work on standard error: a bar, the throughput and the remaining time.
import type { SingleBar } from 'cli-progress';
import { formatBytes, formatTime } from './units.js';
import type { Terminal } from './terminal.js';

/** Milliseconds of work after which a bar appears: shorter work needs none. */
const PATIENCE = 300;

/** Counts bytes that are done. Shows a bar only on a terminal. */
export class ProgressBar {
  readonly #terminal: Terminal;
  readonly #verb: string;
  readonly #started = performance.now();
  #total: number;
  #done = 0;
  #bar: SingleBar | undefined;
  /** The module that draws the bar; loaded only for a terminal. */
  #drawing: typeof import('cli-progress') | undefined;
  #stopped = false;

  /** @param total - bytes; it may grow */
  constructor(terminal: Terminal, verb: string, total: number) {
    this.#terminal = terminal;
    this.#verb = verb;
    this.#total = total;
    if (terminal.showsProgress) void this.#load();
  }

  async #load(): Promise<void> {
    this.#drawing = (await import('cli-progress')).default;
  }

  get done(): number {
    return this.#done;
  }

  /** Milliseconds since the start. */
  get elapsed(): number {
    return performance.now() - this.#started;
  }

  /** Bytes per second. */
  get throughput(): number {
    return this.elapsed === 0 ? 0 : (this.#done * 1000) / this.elapsed;
  }

  grow(bytes: number): void {
    this.#total += bytes;
    this.#bar?.setTotal(this.#total);
  }

  advance(bytes: number): void {
    this.#done += bytes;
    if (this.#bar === undefined) {
      if (this.#stopped || this.#drawing === undefined || this.elapsed < PATIENCE || this.#done >= this.#total) return;
      this.#bar = this.#appear(this.#drawing);
    }
    this.#bar.update(this.#done);
  }

  #appear({ Format, SingleBar }: typeof import('cli-progress')): SingleBar {
    const format = (options: object, { progress }: { progress: number }): string => {
      const left = this.throughput === 0 ? '' : `, ${formatTime(((this.#total - this.#done) * 1000) / this.throughput)} left`;
      const bar = Format.BarFormat(progress, { ...options, barsize: 24 });
      return `${this.#verb} ${bar} ${formatBytes(this.#done)} of ${formatBytes(this.#total)}, ${formatBytes(this.throughput)}/s${left}`;
    };
    const bar = new SingleBar({
      format: format as never,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: false,
      stream: this.#terminal.progressStream,
    });
    bar.start(this.#total, this.#done);
    return bar;
  }

  /** Removes the bar while `tell` writes lines; it appears again below them. */
  aside(tell: () => void): void {
    this.#bar?.stop();
    this.#bar = undefined;
    tell();
  }

  /** Removes the bar for good. */
  stop(): void {
    this.#stopped = true;
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
