// Every function of the addon, found by looking at it, and the kinds of its arguments
// (kinds.mjs). One that is not in the table gets anything.
import { EXPORTS, native } from './addon.mjs';
import { ANYTHING, KINDS } from './kinds.mjs';

const RANGE = 'target offset length';

const SIGNATURES = {
  map: 'address newLength prot mapFlags fd offset',
  mapFile: 'file openFlags offset fileLength fileLength prot mapFlags address fileLength facts',
  mapMemfd: 'name flags newLength prot mapFlags address facts',
  mapMirrored: 'fd offset newLength overOrNone',
  close: 'handle', release: 'handle', resize: 'handle newLength', address: 'handle', mappedLength: 'handle', descriptor: 'handle',
  growFile: 'fd fileLength fileLength',
  residency: `${RANGE} fd offset boolean`, residencyOf: 'file offset fileLength facts',
  writeBackInstruction: '', writeBack: RANGE, census: '', sweep: '', reserve: 'newLength',
  arrayBuffer: 'handle newLength', sharedBuffer: 'handle newLength', overlay: 'handle over', hasExternalShared: '', detach: 'buffer', collect: '',
  guardEnabled: '', disableGuard: '', rearmGuard: '', watchHandlers: 'boolean', missingOfGuard: '', holdCounts: 'handle', dropCounts: 'countsId', faults: 'countsId faults',
  faultCounter: '', fixedUp: 'handle', restore: 'handle fd offset prot mapFlags boolean', renew: 'handle fd offset prot mapFlags boolean',
  copyOut: `${RANGE} bytes`, copyIn: `${RANGE} bytes`, onFault: 'callback',
  munmap: RANGE, mprotect: `${RANGE} prot`, msync: `${RANGE} flags`, madvise: `${RANGE} advice`, mlock: RANGE, mlock2: `${RANGE} flags`,
  munlock: RANGE, mseal: `${RANGE} sealFlags`, mremap: `${RANGE} newLength remapFlags address`, mincore: `${RANGE} vec`,
  mlockall: 'lockAllFlags', munlockall: '', processMadvise: 'pidfd ranges advice flags', owns: RANGE, addressOf: 'bytes',
  msyncAsync: `${RANGE} flags`, madviseAsync: `${RANGE} advice`,
  mbind: `${RANGE} policy nodesOrNull flags`, setMempolicyHomeNode: `${RANGE} node flags`, getMempolicy: 'address policy',
  setMempolicy: 'policy nodesOrNull', movePages: 'pid addresses nodesOrNull status flags', migratePages: 'pid nodes nodes',
  nodesOf: `${RANGE} unit status`, migrate: `${RANGE} unit node counts`,
  ftruncate: 'fd fileLength', syncFile: 'fd boolean', syncFileRange: 'fd offset length', fallocate: 'fd flags offset fileLength', posixFadvise: 'fd offset length advice',
  cachestat: 'fd offset length flags counts', memfdCreate: 'name flags', pidfdOpen: 'pid flags', touchAsync: 'paths offset fileLength fileLength boolean',
  touchPartsAsync: 'paths facts fileLength', surveyAsync: 'paths offset fileLength',
  probe: 'feature', shmOpen: 'name openFlags mode', shmUnlink: 'name', memfdSecret: 'flags', addSeals: 'fd flags', getSeals: 'fd',
  createSharedMemory: 'nameOrNull flags boolean fileLength facts', examineSharedMemory: 'fd facts', openSharedMemory: 'name openFlags',
  openFd: 'path openFlags', dupFd: 'fd', closeFd: 'ownFd', giveFd: 'ownFd',
  socketUnix: '', bind: 'fd socketAddress', connect: 'fd socketAddress', listen: 'fd number', accept: 'fd', peerCredentials: 'fd facts',
  sendPart: 'fd bytes sentDescriptors', receivePart: 'fd bytes descriptors facts', peek: 'fd bytes',
  onReady: 'callback', keepAlive: 'boolean', takeReady: '', arm: 'fd number boolean boolean', disarm: 'fd',
  futexWait: 'words index word ms', futexWake: 'words index number', futexWaitAt: 'address word ms', futexWakeAt: 'address number', futexWaitv: 'addresses words ms', onWake: 'callback boolean', waitAsync: 'words index word ms',
  cancelWait: 'wait', watch: 'words index word', unwatch: 'wait', behind: 'words facts', openLivenessFile: 'path number', localLivenessFile: '',
  claimId: 'fd number', isAlive: 'fd number', mapAt: 'address map', holdsOurs: 'address length',
  count: `${RANGE} byte`, indexOf: `${RANGE} bytes`, positions: `${RANGE} byte positions`, xxh32: 'bytes offset length number',
};

/** What becomes of the result. */
const AFTER = {
  ...Object.fromEntries(['map', 'reserve', 'mapFile', 'mapMemfd', 'mapMirrored', 'mremap'].map((name) => [name, 'handled'])),
  ...Object.fromEntries(['createSharedMemory', 'openSharedMemory', 'dupFd', 'socketUnix', 'accept', 'openLivenessFile'].map((name) => [name, 'held'])),
  ...Object.fromEntries(['memfdCreate', 'pidfdOpen', 'shmOpen', 'memfdSecret', 'openFd'].map((name) => [name, 'raw'])),
};

/** Called rarely: they take long. */
const SLOW = new Set(['collect', 'mlockall', 'probe', 'writeBack', 'migrate', 'movePages', 'migratePages']);

function settle(scene, name, args, result) {
  const after = AFTER[name];
  if (after !== undefined && typeof result === 'number') scene[after](result);
  if (name === 'giveFd') scene.gave(args[0]);
  if (name === 'closeFd') scene.closed(args[0]);
  if (name === 'holdCounts' && result > 0) native.dropCounts(result);
  if (name === 'watch' && result > 0) native.unwatch(result);
  if (name === 'waitAsync' && result > 0) native.cancelWait(result);
  if (name === 'receivePart' && result >= 0) for (const fd of args[2].subarray(0, args[3][0])) scene.held(fd);
  return result;
}

/** @param anyType whether arguments are also of types that lib/ never passes */
export function nativeTargets(anyType) {
  return EXPORTS.map((name) => {
    const kinds = SIGNATURES[name]?.split(' ').filter((kind) => kind !== '');
    return {
      name: `native.${name}`,
      slow: SLOW.has(name),
      listed: true,
      prepare: [],
      args(scene) {
        const wrong = anyType && scene.next(8) === 0;
        if (kinds === undefined) return Array.from({ length: scene.next(8) }, () => scene.one(ANYTHING));
        const args = kinds.map((kind) => (kind === 'pidfd' ? scene.pidfd : KINDS[kind](scene)));
        if (!wrong) return args;
        // Left out, or one of them of any type.
        if (scene.next(4) === 0) return args.slice(0, scene.next(args.length + 1));
        const place = scene.next(args.length + 1);
        const value = scene.one(ANYTHING);
        // Files of others, which would be made or opened.
        if (!(kinds[place] === 'name' && typeof value === 'string')) args[place] = value;
        return args;
      },
      call: (scene, args) => settle(scene, name, args, native[name](...args)),
      /** An exception is only for arguments of a wrong type. */
      mayThrow: (error) => error instanceof Error,
    };
  });
}
