// The commands of memmap as objects, for tests of what is made from them.
export { aboutOf, describe, newCommand } from '../../dist/cli/command.js';
export { manPageOf } from '../../dist/cli/man-page.js';
export { EXIT } from '../../dist/cli/outcome.js';
export { programOf } from '../../dist/cli/program.js';
export { Terminal } from '../../dist/cli/terminal.js';
