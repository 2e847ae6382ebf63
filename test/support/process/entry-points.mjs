// Entry points module by module, as lib has them: an import runs what it needs, and no more.
// In dist they share chunks, so that one may be mended by what another needs.
export const entryPoint = (name) => import(`../../../.unbundled/${name === 'memmap' ? '' : `${name}/`}index.js`);
