// The symbols by which `using` finds what to call at the end of its block. scripts/compile.mjs puts them in the place of
// Symbol.dispose and Symbol.asyncDispose in dist.
//
// Node 20 and 22 add these to the Symbol of the main context alone. In a vm context, where test runners evaluate the package,
// `[Symbol.dispose]()` would be a method called "undefined".

type Name = 'dispose' | 'asyncDispose';

const { dispose: ownDispose, asyncDispose: ownAsyncDispose } = Symbol as { readonly [name in Name]?: symbol };

const ofMainContext = (name: Name): symbol => process.getBuiltinModule('node:vm').runInThisContext(`Symbol.${name}`) as symbol;

export const dispose: symbol = ownDispose ?? ofMainContext('dispose');
export const asyncDispose: symbol = ownAsyncDispose ?? ofMainContext('asyncDispose');

/**
 * Call it after each class that has such a method. Where the context has no symbols of its own, the method also has the name for
 * which `using` looks once esbuild or Babel has transpiled it: Symbol.for('Symbol.dispose').
 */
export function disposable({ prototype }: { readonly prototype: object }): void {
  if (ownDispose !== undefined) return;
  for (const [symbol, name] of [[dispose, 'Symbol.dispose'], [asyncDispose, 'Symbol.asyncDispose']] as const) {
    const method = Object.getOwnPropertyDescriptor(prototype, symbol);
    if (method !== undefined) Object.defineProperty(prototype, Symbol.for(name), method);
  }
}
