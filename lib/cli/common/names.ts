// Names of files as the command keeps them: text in which each byte that is not UTF-8 stands as a lone surrogate,
// U+DC80 to U+DCFF. Nothing else decodes to one, so the bytes can be restored: bytesOf(textOf(bytes)) are the bytes.
import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';

const ESCAPE = 0xdc00;
const ESCAPED = /([\udc80-\udcff])/u;

/** What a decoder puts in the place of bytes that are not UTF-8. */
const REPLACEMENT = '\uFFFD';

/** Bytes of the UTF-8 sequence that begins with this byte. */
function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1;
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

export function textOf(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString();
  const parts: string[] = [];
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] as number;
    const length = sequenceLength(byte);
    if (length === 1 || (at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length)))) {
      at += length;
      continue;
    }
    parts.push(bytes.toString('utf8', from, at), String.fromCharCode(ESCAPE + byte));
    at += 1;
    from = at;
  }
  parts.push(bytes.toString('utf8', from));
  return parts.join('');
}

export function bytesOf(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  const parts = text.split(ESCAPED);
  return Buffer.concat(parts.map((part, i) => (i % 2 === 0 ? Buffer.from(part) : Buffer.of(part.charCodeAt(0) - ESCAPE))));
}

/** The path to give to `node:fs` and to the package. */
export function pathNamed(name: string): string | Buffer {
  return name.isWellFormed() ? name : bytesOf(name);
}

/** The name of such a path. */
export function nameOf(path: string | Uint8Array): string {
  return typeof path === 'string' ? path : textOf(Buffer.from(path));
}

/** The fields of JSON that name a file. */
export function jsonPath(name: string): { path: string; pathBytes?: string } {
  if (name.isWellFormed()) return { path: name };
  const bytes = bytesOf(name);
  return { path: bytes.toString(), pathBytes: bytes.toString('base64') };
}

/** Control characters, those that reverse the order of letters, and bytes that are not UTF-8. */
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\udc80-\udcff]/u;
const UNPRINTABLE_RUNS = new RegExp(`(${UNPRINTABLE.source}+)`, 'u');

const LETTERS: ReadonlyMap<number, string> = new Map(['a', 'b', 't', 'n', 'v', 'f', 'r'].map((letter, i) => [7 + i, letter]));

function octal(text: string): string {
  let escaped = '';
  for (const byte of bytesOf(text)) escaped += `\\${LETTERS.get(byte) ?? byte.toString(8).padStart(3, '0')}`;
  return escaped;
}

/** As ls(1) shows a name on a terminal, if it needs quotes for its bytes: 'x'$'\377'. A shell reads it back. */
export function quoted(name: string): string {
  if (!UNPRINTABLE.test(name)) return name;
  const parts = name.split(UNPRINTABLE_RUNS);
  const shown = parts.map((part, i) => {
    if (i % 2 === 1) return `$'${octal(part)}'`;
    return part === '' && i > 0 ? '' : `'${part.replaceAll("'", String.raw`'\''`)}'`;
  });
  return shown.join('');
}

/** Text for a terminal: what would control it is escaped. Line feeds and tabs stay. */
export function harmless(text: string): string {
  return text.replace(new RegExp(UNPRINTABLE.source, 'gu'), (character) => (character === '\n' || character === '\t' ? character : octal(character)));
}

/** The message of a failure without the path, which the line begins with. Errors show the path decoded. */
export function withoutPath(message: string, name: string): string {
  return message.replace(` '${bytesOf(name).toString()}'`, '');
}

/** The arguments of the command. Node has decoded `argv`: the bytes it lost are in /proc/self/cmdline. */
export function argumentsOf(argv: readonly string[], skipped = 2): string[] {
  const given = argv.slice(skipped);
  if (!given.some((text) => text.includes(REPLACEMENT))) return given;
  // Each argument ends with a NUL. The program, its own options and `argv[1]` come before.
  const all = readFileSync('/proc/self/cmdline', 'latin1').split('\0').slice(0, -1);
  const start = all.length - given.length;
  return given.map((text, i) => {
    const bytes = Buffer.from(all[start + i] ?? '', 'latin1');
    return bytes.toString() === text ? textOf(bytes) : text;
  });
}
