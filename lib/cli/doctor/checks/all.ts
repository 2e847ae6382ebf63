// All checks, in the order of their subjects.
import type { Facts } from './facts.js';
import type { Finding } from './finding.js';
import { checkGuard, checkKernel, checkSandbox } from './kernel.js';
import { checkGroup, checkLocking, checkMappings, checkOvercommit } from './limits.js';
import { checkNuma, checkPools, checkSwap, checkTransparent } from './memory.js';
import { checkPlaces, checkSharedMemory } from './file-systems.js';

const CHECKS = [
  checkMappings, checkOvercommit, checkLocking, checkGroup, checkSharedMemory, checkPools, checkTransparent, checkNuma, checkSwap,
  checkGuard, checkKernel, checkSandbox,
] as const;

/** The findings about a machine. They depend only on the facts. */
export function findingsOf(facts: Facts): Finding[] {
  const sudo = facts.root ? '' : 'sudo ';
  return [...CHECKS.map((check) => check(facts, sudo)), ...checkPlaces(facts, sudo)];
}
