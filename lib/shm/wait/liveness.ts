// Liveness: the identity of this thread for others that share memory with it, and which of them are alive.
//
// A thread has a random id for each file of shared memory. While it is alive it holds a lock on a
// byte of the file, past its end, which the kernel releases when the thread's descriptor is closed
// for whatever reason (src-native/core/wait/liveness.h).
import { randomInt } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import { fstat } from '../../internal/descriptors/calls.js';
import { constants } from 'node:os';
import { binding } from '../../internal/binding.js';
import { CallFacts } from '../../internal/call-facts.js';
import { openFilesRemedy } from '../../internal/remedy.js';
import { invalidValue } from '../../internal/validate.js';
import { ID } from './owner-id.js';
import { check, systemError } from '../../internal/syscall.js';

const { errno } = constants;

/** The kernel's names for memory that no other process can open. */
const NAMELESS = new Set(['/dev/zero (deleted)', '/anon_hugepage (deleted)']);
const DELETED = ' (deleted)';

const facts = new CallFacts(binding.FACTS.behind);

/** Descriptors of this process that refer to the file: memfds have no path. */
function* descriptors(path: string, inode: number): Generator<string> {
  for (const name of readdirSync('/proc/self/fd')) {
    const link = `/proc/self/fd/${name}`;
    try {
      if (readlinkSync(link) !== path || fstat(Number(name)).ino !== inode) continue;
    } catch {
      continue; // closed meanwhile, like that of readdir
    }
    yield link;
  }
}

function* ways(path: string): Generator<string> {
  const [start, end, inode] = [facts.get('start'), facts.get('end'), facts.get('inode')];
  if (!path.endsWith(DELETED)) yield path;
  yield* descriptors(path, inode);
  // Only a privileged process may open this.
  yield `/proc/self/map_files/${start.toString(16)}-${end.toString(16)}`;
}

function openBehind(path: string): number {
  const inode = facts.get('inode');
  let result = -errno.ENOENT;
  for (const way of ways(path)) {
    result = binding.openLivenessFile(way, inode);
    if (result >= 0) return result;
  }
  throw systemError(result, 'open', {
    path,
    remedy: (code) => openFilesRemedy(code) ?? 'Locks need to open the file of the memory for reading and writing: keep a descriptor of it open',
  });
}

function openLocal(): number {
  const fd = check(binding.localLivenessFile(), 'memfd_create');
  return check(binding.openLivenessFile(`/proc/self/fd/${fd}`, fstat(fd).ino), 'open');
}

/** Liveness objects in use, by file. */
const known = new Map<string, WeakRef<Liveness>>();
const forgotten = new FinalizationRegistry<{ fd: number; key: string }>(({ fd, key }) => {
  if (known.get(key)?.deref() === undefined) known.delete(key);
  binding.closeFd(fd);
});
/** Keeps a Liveness alive as long as the memory that it was made for. */
const ofOwner = new WeakMap<object, Liveness>();

export class Liveness {
  /** The id of this thread in this file. */
  readonly id: number;
  readonly #fd: number;
  readonly #key: string;
  /** How many holders will call release(). */
  #holders = 0;
  /** Whether of() has given it out: then it is kept until it is collected. */
  #lent = false;

  private constructor(fd: number, key: string) {
    this.#fd = fd;
    this.#key = key;
    forgotten.register(this, { fd, key }, this);
    for (;;) {
      const id = randomInt(1, ID + 1);
      const result = binding.claimId(fd, id);
      if (result === -errno.EAGAIN || result === -errno.EACCES) continue; // another thread has this id
      check(result, 'fcntl');
      this.id = id;
      return;
    }
  }

  /**
   * @param words memory of `owner`, which keeps it alive
   * @throws {SystemError} ENOENT if the file of the memory cannot be opened any more
   */
  static of(owner: object, words: Int32Array): Liveness {
    const former = ofOwner.get(owner);
    if (former !== undefined) return former;
    const liveness = Liveness.#behind(words, owner);
    liveness.#lent = true;
    ofOwner.set(owner, liveness);
    return liveness;
  }

  /** As of(), but held only until release(). */
  static hold(owner: object, words: Int32Array): Liveness {
    const liveness = Liveness.#behind(words, owner);
    liveness.#holders += 1;
    return liveness;
  }

  static #behind(words: Int32Array, owner: object): Liveness {
    const path = binding.behind(words, facts.numbers);
    if (typeof path === 'number') {
      check(path, 'mmap');
      throw new TypeError('unreachable');
    }
    const inode = facts.get('inode');
    if (facts.get('writable') === 0) throw invalidValue('memory', "must be a writable mapping: access: 'read-write'", owner);
    const local = facts.get('shared') === 0 || inode === 0 || NAMELESS.has(path);
    const key = local ? '' : `${inode} ${path}`;
    const found = known.get(key)?.deref();
    if (found !== undefined) return found;
    const liveness = new Liveness(local ? openLocal() : openBehind(path), key);
    known.set(key, new WeakRef(liveness));
    return liveness;
  }

  /** Ends a hold(): the holder's id must not be in shared memory any more. The last one closes the descriptor. */
  release(): void {
    this.#holders -= 1;
    if (this.#holders > 0 || this.#lent) return;
    known.delete(this.#key);
    forgotten.unregister(this);
    binding.closeFd(this.#fd);
  }

  /** Whether the thread with this id is alive. */
  isAlive(id: number): boolean {
    return check(binding.isAlive(this.#fd, id), 'fcntl') === 1;
  }
}
