// The commands of memmap as objects, for tests of what is made from them.
export { aboutOf, describe, newCommand } from '../../../dist/cli/common/command.js';
export { manPageOf } from '../../../dist/cli/shell/man-page.js';
export { EXIT } from '../../../dist/cli/common/exit.js';
export { programOf } from '../../../dist/cli/program.js';
export { Terminal } from '../../../dist/cli/common/terminal.js';
