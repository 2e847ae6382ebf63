// Where a command writes to, and what that can show.
import type { WriteStream } from 'node:tty';
import pc from 'picocolors';

type Colors = ReturnType<typeof pc.createColors>;

/** Columns where nobody says how many there are. */
const WIDTH = 80;

/** Node leaves `isTTY` out where it is not one. */
function isScreen(stream: Partial<WriteStream>): boolean {
  return stream.isTTY === true;
}

/** Standard output and error: what they show, how wide they are, whether in colour. */
export class Terminal {
  readonly #out: NodeJS.WriteStream;
  readonly #err: NodeJS.WriteStream;
  readonly colors: Colors;
  /** Whether a person looks on, who can read block characters. */
  readonly rich: boolean;

  constructor(out: NodeJS.WriteStream = process.stdout, err: NodeJS.WriteStream = process.stderr, env: NodeJS.ProcessEnv = process.env) {
    this.#out = out;
    this.#err = err;
    const forced = (env['FORCE_COLOR'] ?? '') !== '' && env['FORCE_COLOR'] !== '0';
    const plain = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
    this.rich = !plain && (forced || isScreen(out));
    this.colors = pc.createColors(this.rich);
  }

  /** Columns. */
  get width(): number {
    const asked = Number(process.env['COLUMNS']);
    return (this.#out as Partial<WriteStream>).columns ?? (asked > 0 ? asked : WIDTH);
  }

  get rows(): number {
    return (this.#out as Partial<WriteStream>).rows ?? 24;
  }

  /** Whether standard output is a screen. */
  get isInteractive(): boolean {
    return isScreen(this.#out) && process.env['TERM'] !== 'dumb';
  }

  /** As this one, but what is written is kept. */
  frame(): Screen {
    return new Screen(this.#out, this.#err);
  }

  /** Whether progress can be shown, on standard error. */
  get showsProgress(): boolean {
    return isScreen(this.#err) && process.env['TERM'] !== 'dumb';
  }

  get progressStream(): NodeJS.WriteStream {
    return this.#err;
  }

  /** Writes to standard output. */
  write(text: string): void {
    this.#out.write(text);
  }

  line(text = ''): void {
    this.write(`${text}\n`);
  }

  json(value: unknown): void {
    this.line(JSON.stringify(value, (_key, one: unknown) => (typeof one === 'bigint' ? `0x${one.toString(16)}` : one), 2));
  }

  /** Tells of a failure, on standard error. */
  complain(text: string): void {
    this.#err.write(`memmap: ${text}\n`);
  }

  /** Tells what is worth knowing, on standard error. */
  note(text: string): void {
    this.#err.write(`${text}\n`);
  }
}

/** As a terminal, but what is written is kept. */
export class Screen extends Terminal {
  text = '';

  override write(text: string): void {
    this.text += text;
  }

  override complain(text: string): void {
    this.line(`memmap: ${text}`);
  }
}
