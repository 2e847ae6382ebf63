// The commands of memmap as objects, for tests of what is made from them.
export { aboutOf, describe, newCommand } from '../../../.unbundled/cli/common/command.js';
export { manPageOf } from '../../../.unbundled/cli/shell/man-page.js';
export { EXIT } from '../../../.unbundled/cli/common/exit.js';
export { programOf } from '../../../.unbundled/cli/program.js';
export { Terminal } from '../../../.unbundled/cli/common/terminal.js';
