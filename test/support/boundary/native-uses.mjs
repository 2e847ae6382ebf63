// How each function of the addon is used: uses(binding, things)[name] is one plausible call of it, which
// leaves nothing behind. A function that has none here is a test that is missing.
import { closeSync } from 'node:fs';

const LENGTH = 2 ** 16;

/** What calls act on: `path` of a file of 64 KiB. `key`: two letters or more, of this thread alone. */
export function makeThings(binding, path, key) {
  const { MAP, PROT, O, MFD } = binding;
  const map = (length = LENGTH) => binding.map(0n, length, PROT.READ | PROT.WRITE, MAP.SHARED | MAP.ANONYMOUS, -1, 0);
  const mapFile = (facts = new Float64Array(Object.keys(binding.FACTS.file).length)) =>
    binding.mapFile(path, O.RDWR | O.CLOEXEC, 0, -1, -1, PROT.READ | PROT.WRITE, MAP.SHARED, 0n, 0, facts);
  const memory = map();
  const file = mapFile();
  const buffer = binding.arrayBuffer(memory, LENGTH);
  const fd = binding.createSharedMemory(null, MFD.CLOEXEC | MFD.ALLOW_SEALING, false, LENGTH, new Float64Array(1));
  const [server, client] = [binding.socketUnix(), binding.socketUnix()];
  binding.bind(server, Buffer.from(`\0memmap-uses-${process.pid}-${key}`));
  binding.listen(server, 8);
  return { path, key, map, mapFile, memory, file, fd, server, client, view: new Uint8Array(buffer), words: new Int32Array(buffer, 0, 64) };
}

/** Those whose result is a descriptor that is JavaScript's: a thread that is ended in between leaves it open. */
export const GIVES = ['memfdCreate', 'pidfdOpen', 'openFd', 'shmOpen', 'memfdSecret', 'giveFd'];

/** Those that make objects, or promises, in native code: where a thread that is ended is in most danger. */
export const MAKES = [
  'residency', 'residencyOf', 'getMempolicy', 'takeReady', 'census', 'arrayBuffer', 'sharedBuffer', 'faultCounter', 'mapAt', 'behind',
  'touchAsync', 'touchPartsAsync', 'surveyAsync', 'msyncAsync', 'madviseAsync', 'onFault', 'onReady', 'onWake', 'waitAsync', 'watch', 'writeBackInstruction', 'addressOf',
];

export function uses(binding, { path, key, map, mapFile, memory, file, fd, server, client, view, words }) {
  const { MAP, PROT, MFD, MADV, MS, MREMAP, FADV, O } = binding;
  const inPages = [memory, 0, LENGTH];
  const bytes = Buffer.alloc(64);
  const nodes = Int32Array.of(0);
  const vec = new Uint8Array(LENGTH / binding.pageSize);
  const numbers = new Float64Array(32);
  const big = new BigUint64Array(8);
  const address = binding.address(memory);
  const once = (handle, use) => {
    use(handle);
    binding.close(handle);
  };
  /** A descriptor that is JavaScript's. */
  const given = (number) => number >= 0 && closeSync(number);
  const held = (number) => number >= 0 && binding.closeFd(number);
  const nothing = () => undefined;
  const name = `memmap-uses-${process.pid}-${key}`;
  binding.onWake(nothing, true);
  binding.onReady(nothing);

  return {
    map: () => once(map(), nothing),
    mapFile: () => once(mapFile(numbers), nothing),
    mapMemfd: () => once(binding.mapMemfd('uses', MFD.CLOEXEC, LENGTH, PROT.READ, MAP.SHARED, 0n, numbers), nothing),
    mapMirrored: () => once(binding.mapMirrored(fd, 0, LENGTH), nothing),
    close: () => binding.close(map()),
    release: () => binding.release(map()),
    resize: () => once(map(), (handle) => binding.resize(handle, 2 * LENGTH)),
    address: () => binding.address(memory),
    mappedLength: () => binding.mappedLength(memory),
    descriptor: () => binding.descriptor(file),
    growFile: () => binding.growFile(fd, LENGTH, LENGTH),
    residency: () => binding.residency(...inPages, -1, 0, true),
    residencyOf: () => binding.residencyOf(path, 0, -1, numbers),
    probe: () => binding.probe('cachestat'),
    writeBackInstruction: () => binding.writeBackInstruction(),
    writeBack: () => binding.writeBackInstruction() !== undefined && binding.writeBack(...inPages),
    census: () => binding.census(),
    sweep: () => binding.sweep(),
    reserve: () => once(binding.reserve(LENGTH), nothing),

    arrayBuffer: () => binding.detach(binding.arrayBuffer(file, LENGTH)),
    sharedBuffer: () => binding.sharedBuffer(file, LENGTH),
    overlay: () => once(map(), (handle) => binding.overlay(handle, bytes)),
    hasExternalShared: () => binding.hasExternalShared(),
    hasExternalBuffers: () => binding.hasExternalBuffers(),
    detach: () => binding.detach(new ArrayBuffer(8)),
    collect: () => binding.collect(),

    guardEnabled: () => binding.guardEnabled(),
    disableGuard: () => binding.disableGuard(),
    watchHandlers: () => binding.watchHandlers(true),
    rearmGuard: () => binding.rearmGuard(),
    missingOfGuard: () => binding.missingOfGuard(),
    holdCounts: () => binding.dropCounts(binding.holdCounts(memory)),
    dropCounts: () => binding.dropCounts(binding.holdCounts(file)),
    faults: () => binding.faults(0, numbers),
    faultCounter: () => binding.faultCounter(),
    fixedUp: () => binding.fixedUp(file),
    renew: () => binding.renew(file, fd, 0, PROT.READ | PROT.WRITE, MAP.SHARED, false),
    restore: () => binding.restore(file, fd, 0, PROT.READ | PROT.WRITE, MAP.SHARED, true),
    copyOut: () => binding.copyOut(memory, 0, bytes.length, bytes),
    copyIn: () => binding.copyIn(memory, 0, bytes.length, bytes),
    onFault: () => binding.onFault(nothing),

    munmap: () => once(map(), (handle) => binding.munmap(handle, 0, LENGTH)),
    mprotect: () => binding.mprotect(...inPages, PROT.READ | PROT.WRITE),
    msync: () => binding.msync(...inPages, MS.ASYNC),
    madvise: () => binding.madvise(...inPages, MADV.NORMAL),
    mlock: () => binding.mlock(memory, 0, binding.pageSize),
    mlock2: () => binding.mlock2(memory, 0, binding.pageSize, binding.MLOCK.ONFAULT),
    munlock: () => binding.munlock(...inPages),
    mseal: () => binding.mseal(...inPages, 1), // flags that no kernel knows: a sealed mapping would stay
    mremap: () => once(map(), (handle) => once(binding.mremap(handle, 0, LENGTH, 2 * LENGTH, MREMAP.MAYMOVE, 0n), nothing)),
    mincore: () => binding.mincore(...inPages, vec),
    mlockall: () => binding.mlockall(0), // refused: the whole process would be locked
    munlockall: () => binding.munlockall(),
    processMadvise: () => binding.processMadvise(-1, big.subarray(0, 2), MADV.COLD, 0),
    owns: () => binding.owns(view, 0, LENGTH),
    addressOf: () => binding.addressOf(view),
    msyncAsync: () => binding.msyncAsync(...inPages, MS.ASYNC),
    madviseAsync: () => binding.madviseAsync(...inPages, MADV.WILLNEED),

    mbind: () => binding.mbind(...inPages, binding.MPOL.DEFAULT, null, 0),
    setMempolicyHomeNode: () => binding.setMempolicyHomeNode(...inPages, 0, 0),
    getMempolicy: () => binding.getMempolicy(0n, 0),
    setMempolicy: () => binding.setMempolicy(binding.MPOL.DEFAULT, null),
    movePages: () => binding.movePages(0, BigUint64Array.of(address), null, new Int32Array(1), 0),
    migratePages: () => binding.migratePages(0, nodes, nodes),
    nodesOf: () => binding.nodesOf(...inPages, binding.pageSize, new Int32Array(vec.length)),
    migrate: () => binding.migrate(...inPages, binding.pageSize, 0, numbers),

    ftruncate: () => binding.ftruncate(fd, LENGTH),
    syncFile: () => binding.syncFile(fd, true),
    syncFileRange: () => binding.syncFileRange(fd, 0, LENGTH),
    fallocate: () => binding.fallocate(fd, 0, 0, LENGTH),
    posixFadvise: () => binding.posixFadvise(fd, 0, LENGTH, FADV.NORMAL),
    cachestat: () => binding.cachestat(fd, 0, LENGTH, 0, numbers),
    memfdCreate: () => given(binding.memfdCreate('given', MFD.CLOEXEC)),
    pidfdOpen: () => given(binding.pidfdOpen(process.pid, 0)),
    surveyAsync: () => binding.surveyAsync(Buffer.from(`${path}\0`), 0, LENGTH),
    touchPartsAsync: () => binding.touchPartsAsync(Buffer.from(`${path}\0`), Float64Array.of(1, 0, LENGTH), LENGTH),
    touchAsync: () => binding.touchAsync(Buffer.from(`${path}\0`), 0, LENGTH, LENGTH, false),

    createSharedMemory: () => held(binding.createSharedMemory(null, MFD.CLOEXEC, false, LENGTH, numbers)),
    examineSharedMemory: () => binding.examineSharedMemory(fd, numbers),
    openSharedMemory: () => held(binding.openSharedMemory(name, O.RDWR)),
    openFd: () => given(binding.openFd('/dev/null', O.CLOEXEC)),
    dupFd: () => held(binding.dupFd(fd)),
    closeFd: () => held(binding.dupFd(server)),
    giveFd: () => {
      const copy = binding.dupFd(fd);
      binding.giveFd(copy);
      given(copy);
    },
    addSeals: () => binding.addSeals(fd, 0),
    getSeals: () => binding.getSeals(fd),
    shmOpen: () => {
      given(binding.shmOpen(name, O.RDWR | O.CREAT | O.CLOEXEC, 0o600));
      binding.shmUnlink(name);
    },
    shmUnlink: () => binding.shmUnlink(name),
    memfdSecret: () => given(binding.memfdSecret(0)),

    socketUnix: () => held(binding.socketUnix()),
    bind: () => binding.bind(server, bytes),
    connect: () => binding.connect(client, Buffer.from(`\0${name}-nobody`)),
    listen: () => binding.listen(server, 8),
    accept: () => held(binding.accept(server)),
    peerCredentials: () => binding.peerCredentials(client, numbers),
    sendPart: () => binding.sendPart(client, bytes, nodes),
    receivePart: () => binding.receivePart(client, bytes, new Int32Array(253), numbers),
    peek: () => binding.peek(client, bytes),

    onReady: () => binding.onReady(nothing),
    keepAlive: () => binding.keepAlive(false),
    takeReady: () => binding.takeReady(),
    arm: () => binding.arm(server, 1, true, false),
    disarm: () => binding.disarm(server),

    futexWait: () => binding.futexWait(words, 0, 0, 0.01),
    futexWake: () => binding.futexWake(words, 0, 1),
    futexWaitAt: () => binding.futexWaitAt(address, 0, 0.01),
    futexWakeAt: () => binding.futexWakeAt(address, 1),
    futexWaitv: () => binding.futexWaitv(BigUint64Array.of(address), Int32Array.of(1), 0.01),
    onWake: () => binding.onWake(nothing, true),
    waitAsync: () => binding.waitAsync(words, 0, 0, 0.1),
    cancelWait: () => binding.cancelWait(binding.waitAsync(words, 0, 0, 100)),
    watch: () => binding.unwatch(binding.watch(words, 0, 0)),
    unwatch: () => binding.unwatch(binding.watch(words, 1, 0)),
    behind: () => binding.behind(words, numbers),
    openLivenessFile: () => held(binding.openLivenessFile(path, 1)),
    localLivenessFile: () => binding.localLivenessFile(),
    claimId: () => binding.claimId(fd, 1),
    isAlive: () => binding.isAlive(fd, 1),

    mapAt: () => binding.mapAt(address, big),
    holdsOurs: () => binding.holdsOurs(address, LENGTH),
    count: () => binding.count(...inPages, 0),
    indexOf: () => binding.indexOf(...inPages, bytes.subarray(0, 4)),
    positions: () => binding.positions(...inPages, 1, new Uint32Array(8)),
    xxh32: () => binding.xxh32(view, 0, 64, 0),
  };
}
