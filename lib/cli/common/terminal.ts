// Standard output and error of a command, and what they can show.
import type { WriteStream } from 'node:tty';
import pc from 'picocolors';
import { bytesOf, harmless, quoted, withoutPath } from './names.js';

type Colors = ReturnType<typeof pc.createColors>;

/** The number of columns if it is unknown. */
const WIDTH = 80;

/** Node leaves `isTTY` undefined for other streams. */
function isScreen(stream: Partial<WriteStream>): boolean {
  return stream.isTTY === true;
}

/** Standard output and error: their kind, width and colours. */
export class Terminal {
  readonly #out: NodeJS.WriteStream;
  readonly #err: NodeJS.WriteStream;
  readonly colors: Colors;
  /** Whether to use colours and block characters. */
  readonly rich: boolean;

  constructor(out: NodeJS.WriteStream = process.stdout, err: NodeJS.WriteStream = process.stderr, env: NodeJS.ProcessEnv = process.env) {
    this.#out = out;
    this.#err = err;
    const forced = (env['FORCE_COLOR'] ?? '') !== '' && env['FORCE_COLOR'] !== '0';
    const plain = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
    this.rich = !plain && (forced || isScreen(out));
    this.colors = pc.createColors(this.rich);
  }

  /** The number of columns. */
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

  /** A terminal like this one that keeps the text instead of writing it. */
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
    this.#out.write(text.isWellFormed() ? text : bytesOf(text));
  }

  /** The name of a file for standard output: quoted on a terminal if it needs that, otherwise its bytes. */
  name(path: string): string {
    return isScreen(this.#out) ? quoted(path) : path;
  }

  #report(text: string): void {
    if (isScreen(this.#err)) this.#err.write(harmless(text));
    else this.#err.write(text.isWellFormed() ? text : bytesOf(text));
  }

  line(text = ''): void {
    this.write(`${text}\n`);
  }

  json(value: unknown): void {
    this.line(JSON.stringify(value, (_key, one: unknown) => (typeof one === 'bigint' ? `0x${one.toString(16)}` : one), 2));
  }

  /** Reports a failure on standard error. */
  complain(text: string): void {
    this.#report(`memmap: ${text}\n`);
  }

  /** Reports that the file failed. */
  complainOf(path: string, message: string): void {
    const [shown, isPlain] = [isScreen(this.#err) ? quoted(path) : path, quoted(path) === path];
    this.complain(`${shown}: ${isPlain ? message : withoutPath(message, path)}`);
  }

  /** Writes a note about the file. */
  noteOf(path: string, text: string): void {
    this.note(`${isScreen(this.#err) ? quoted(path) : path}: ${text}`);
  }

  /** Writes a note to standard error. */
  note(text: string): void {
    this.#report(`${text}\n`);
  }
}

/** A terminal that keeps the text instead of writing it. */
export class Screen extends Terminal {
  text = '';

  override write(text: string): void {
    this.text += text;
  }

  override complain(text: string): void {
    this.line(`memmap: ${text}`);
  }
}
