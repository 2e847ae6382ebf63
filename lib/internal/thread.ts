// The threads that the addon starts when they are first needed: one each to report faults, for
// waits and for sockets.
import { constants } from 'node:os';
import { check } from './syscall.js';

const { EAGAIN } = constants.errno;

/** As `check`, for a call that may have to start a thread first. A later call tries again. */
export function checkStarted(result: number, syscall: string): number {
  if (result !== -EAGAIN) return check(result, syscall);
  return check(result, 'pthread_create', {
    remedy: () => 'The call needs one more thread than the process may have; raise ulimit -u, or pids.max of its control group',
  });
}
