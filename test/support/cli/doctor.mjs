// The checks of `memmap doctor`, without the machine: findings of facts.
export { findingsOf } from '../../../.unbundled/cli/doctor/checks/all.js';
