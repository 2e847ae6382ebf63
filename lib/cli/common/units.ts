// Parses and formats sizes, ranges and times.
import { InvalidArgumentError } from 'commander';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;
const SIZE = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?$/i;

/** '64K', '1.5GiB', '4096': bytes. All units are of 1024. */
export function parseSize(text: string): number {
  const [, number = '', unit = ''] = SIZE.exec(text.trim()) ?? [];
  const bytes = Math.round(Number(number) * 1024 ** ' kmgtp'.indexOf(unit === '' ? ' ' : unit.toLowerCase()));
  if (number === '' || !Number.isSafeInteger(bytes)) {
    throw new InvalidArgumentError(`'${text}' is not a size: use a number like 4096, 64K or 1.5G`);
  }
  return bytes;
}

/** Bytes of a file. */
export interface ByteRange {
  readonly offset: number;
  /** Undefined: to the end. */
  readonly length?: number;
}

/** 'FROM-TO', 'FROM-', '-TO': bytes from FROM up to, but without, TO. As in vmtouch. */
export function parseRange(text: string): ByteRange {
  const parts = text.split('-');
  const [from = '', to = ''] = parts;
  if (parts.length !== 2 || text.trim() === '-') throw new InvalidArgumentError(`'${text}' is not a range: use one like 1M-2M, 64K- or -1G`);
  const offset = from === '' ? 0 : parseSize(from);
  if (to === '') return { offset };
  const end = parseSize(to);
  if (end <= offset) throw new InvalidArgumentError(`'${text}' is an empty range: its end must come after its start`);
  return { offset, length: end - offset };
}

/** '2' (seconds), '500ms', '2s', '1m': milliseconds. */
export function parseTime(text: string): number {
  const [, number = '', unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text.trim()) ?? [];
  if (number === '') throw new InvalidArgumentError(`'${text}' is not a time: use one like 2, 500ms or 1m`);
  return Number(number) * { ms: 1, s: 1000, m: 60_000 }[unit as 'ms' | 's' | 'm'];
}

/** A whole number. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count)) throw new InvalidArgumentError(`'${text}' is not a whole number`);
  return count;
}

/** '1.5 GiB', '12 B': three digits at most. */
export function formatBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${Number(value.toFixed(digits))} ${UNITS[unit]}`;
}

/** '1 file', '12 files'. */
export function formatFiles(count: number): string {
  return `${formatCount(count)} ${count === 1 ? 'file' : 'files'}`;
}

/** '12,345'. */
export function formatCount(count: number): string {
  // Not toLocaleString(), which takes 20 ms to load its data.
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** '42.0%'. Only all is '100%', and only nothing is '0%'. */
export function formatShare(part: number, whole: number): string {
  if (whole === 0) return '-';
  if (part === whole) return '100%';
  if (part === 0) return '0%';
  return `${Math.min(99.9, Math.max(0.1, (100 * part) / whole)).toFixed(1)}%`;
}

/** '1.23 s', '2 min 5 s'. */
export function formatTime(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
