// What is in browser/, as text: scripts/compile.mjs makes this module of it.

/** Its modules in one, in JavaScript. */
export const SCRIPT: string;
export const STYLE: string;
