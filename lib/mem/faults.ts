// What the guard has done to the memory of a mapping, as its owner sees it.
import { EventEmitter } from 'node:events';
import { FaultError, type FaultErrorKind, type FaultKind } from '../errors.js';
import { type CountsId, binding } from '../internal/binding.js';
import { sharedByCopies } from '../internal/copies.js';
import { checkStarted } from '../internal/thread.js';

/** How many accesses faulted and were fixed up by the guard, by cause. */
export interface Faults {
  /** Accesses past the end of a file that shrank. */
  readonly truncated: number;
  /** No block or page was available: a full disk under a hole of the file, an empty pool of huge pages. */
  readonly noSpace: number;
  /** Broken memory, or a failed read from the disk. */
  readonly memoryFailures: number;
  /** Writes to read-only memory, and any access to memory protected with `'none'`. */
  readonly violations: number;
  /** Accesses through a view after `close()`. */
  readonly afterClose: number;
}

export function addFaults(all: readonly Faults[]): Faults {
  const add = (kind: keyof Faults): number => all.reduce((count, faults) => count + faults[kind], 0);
  return {
    truncated: add('truncated'),
    noSpace: add('noSpace'),
    memoryFailures: add('memoryFailures'),
    violations: add('violations'),
    afterClose: add('afterClose'),
  };
}

/** What `on('fault')` reports. */
export interface Fault {
  readonly kind: FaultKind;
  /** Where the last fixed-up part begins: bytes from the start of the mapping. */
  readonly offset: number;
  /** Bytes of that part. */
  readonly length: number;
  /** The file, if there is one. */
  readonly path?: string;
}

const KINDS: readonly FaultKind[] = binding.FAULT_KINDS;
const THROWN = KINDS.filter((kind): kind is FaultErrorKind => kind !== 'after-close');

const MEANING: Readonly<Record<FaultErrorKind, string>> = {
  truncated: 'the file was truncated: bytes past its end read as zeros. Call refresh() to adopt the new length',
  'no-space': 'there was no space for a page: writes to it are lost. Free some space, then call refresh()',
  'memory-failure': 'a page could not be read from memory or disk: it reads as zeros',
  'read-only': 'a write hit read-only memory: it stays in this process. Call refresh() to discard it',
  'no-access': "memory protected with 'none' was accessed: it reads as zeros until protect() gives access",
};

/** Filled by the native call and read right after it: counts, offsets and lengths by kind. */
const facts = new Float64Array(3 * KINDS.length);

const counter = binding.faultCounter();

/** The number of faults of the whole process. One load from memory where the runtime permits it. */
export function faultCount(): number {
  if (counter !== undefined) return counter[0] ?? 0;
  binding.faults(0, facts);
  return facts.subarray(0, KINDS.length).reduce((sum, count) => sum + count);
}

/** Logs with listeners. The mapping holds its log: if the mapping is collected, so are its listeners. */
const listening = sharedByCopies('faultLogs', () => new Set<WeakRef<FaultLog>>());
let told = false;

/** Starts reporting faults to this thread. */
function beTold(): void {
  if (told) return;
  checkStarted(binding.onFault(tell), 'napi_create_threadsafe_function');
  told = true;
}

/** A listener that throws must not keep the others from being called: its error becomes an uncaught exception. */
function reportAlone(log: FaultLog): void {
  try {
    log.report();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}

function tell(): void {
  for (const reference of listening) {
    const log = reference.deref();
    if (log === undefined) listening.delete(reference);
    else reportAlone(log);
  }
}

export class FaultLog {
  readonly #path: string | undefined;
  /** Bytes from the first page to byte 0 of the mapping. Negative for a part of a mapping that begins behind byte 0. */
  readonly #byteOffset: number;
  #id: CountsId = 0;
  #counts: number[] = KINDS.map(() => 0);
  /** Counts of the mappings that this one replaced. */
  #earlier = this.#counts;
  #forgiven: readonly number[] = this.#counts;
  #reported = this.#counts;
  #offsets = this.#counts;
  #lengths = this.#counts;
  /** The count of the process when the counts were last read. */
  #read = 0;
  #emitter: EventEmitter | undefined;

  constructor(byteOffset: number, path: string | undefined) {
    this.#byteOffset = byteOffset;
    this.#path = path;
  }

  /** Reads these counts from now on, and adds the counts that it has read before. */
  follow(id: CountsId): void {
    this.#update();
    this.#earlier = this.#counts;
    this.#id = id;
    this.#read = -1;
  }

  #update(): boolean {
    const now = faultCount();
    if (now === this.#read || this.#id === 0) return false;
    this.#read = now;
    binding.faults(this.#id, facts);
    const all = Array.from(facts);
    const kinds = KINDS.length;
    this.#counts = all.slice(0, kinds).map((count, i) => count + (this.#earlier[i] ?? 0));
    this.#offsets = all.slice(kinds, 2 * kinds);
    this.#lengths = all.slice(2 * kinds);
    return true;
  }

  get faults(): Faults {
    this.#update();
    const [truncated = 0, noSpace = 0, memoryFailures = 0, readOnly = 0, noAccess = 0, afterClose = 0] = this.#counts;
    return { truncated, noSpace, memoryFailures, violations: readOnly + noAccess, afterClose };
  }

  /** Throws for the first kind of fault that has not been forgiven. */
  check(): void {
    if (!this.#update() && this.#counts === this.#forgiven) return;
    THROWN.forEach((kind, i) => {
      if ((this.#counts[i] ?? 0) > (this.#forgiven[i] ?? 0)) throw this.error(kind, this.#part(i).offset);
    });
  }

  /** What has been counted so far: pass it to {@link forgive} after the repair. */
  counted(): readonly number[] {
    this.#update();
    return this.#counts;
  }

  /** The pages are repaired: `check()` no longer throws for these counts, only for later faults. */
  forgive(counts: readonly number[]): void {
    this.#forgiven = counts;
  }

  /**
   * The part of the mapping that broke and now reads as zeros; the whole mapping if several parts broke,
   * since only the last is known. Undefined if none did, or it was repaired.
   */
  broken(): { readonly offset: number; readonly end: number } | undefined {
    this.#update();
    const kind = KINDS.indexOf('memory-failure');
    const count = (this.#counts[kind] ?? 0) - (this.#forgiven[kind] ?? 0);
    if (count <= 0) return undefined;
    const { offset, length } = this.#part(kind);
    return count === 1 ? { offset, end: offset + length } : { offset: 0, end: Infinity };
  }

  error(kind: FaultErrorKind, offset: number): FaultError {
    const where = this.#path === undefined ? '' : ` of '${this.#path}'`;
    return new FaultError(`At byte ${offset} of the mapping${where}, ${MEANING[kind]}`, kind, offset, this.#path);
  }

  #part(kind: number): { offset: number; length: number } {
    const from = (this.#offsets[kind] ?? 0) - this.#byteOffset;
    const offset = Math.max(0, from);
    return { offset, length: (this.#lengths[kind] ?? 0) - (offset - from) };
  }

  on(listener: (fault: Fault) => void): void {
    beTold();
    this.#emitter ??= this.#tellThrough(new EventEmitter());
    this.#emitter.on('fault', listener);
  }

  /** Reports to the listeners of `whole` from now on, if it has any. This is the log of a part of it. */
  tellThroughThatOf(whole: FaultLog): void {
    if (whole.#emitter !== undefined) this.#emitter ??= this.#tellThrough(whole.#emitter);
  }

  #tellThrough(emitter: EventEmitter): EventEmitter {
    listening.add(new WeakRef(this));
    // Only later faults are reported.
    this.#update();
    this.#reported = this.#counts;
    return emitter;
  }

  off(listener: (fault: Fault) => void): void {
    this.#emitter?.off('fault', listener);
  }

  /** Reports to the listeners what has happened since the last report. */
  report(): void {
    this.#update();
    const before = this.#reported;
    this.#reported = this.#counts;
    this.#counts.forEach((count, i) => {
      const kind = KINDS[i];
      if (kind === undefined || count <= (before[i] ?? 0)) return;
      const path = this.#path === undefined ? {} : { path: this.#path };
      this.#emitter?.emit('fault', { kind, ...this.#part(i), ...path });
    });
  }
}
