// What console.log() shows of the package's objects.
import { type InspectOptionsStylized, inspect } from 'node:util';

/** Makes util.inspect() show objects of a class as its name and these fields. A field that cannot be read is shown as the code of the error. */
export function showAs<T extends object>(prototype: T, fields: Readonly<Record<string, (object: T) => unknown>>): void {
  function show(this: T, depth: number, options: InspectOptionsStylized): string {
    const { name } = this.constructor;
    if (depth < 0) return options.stylize(`[${name}]`, 'special');
    const shown = Object.entries(fields).map(([field, of]) => [field, readable(this, of, options)] as const);
    return `${name} ${inspect(Object.fromEntries(shown.filter(([, value]) => value !== undefined)), { ...options, depth })}`;
  }
  Object.defineProperty(prototype, inspect.custom, { value: show, configurable: true, writable: true });
}

function readable<T>(object: T, of: (object: T) => unknown, options: InspectOptionsStylized): unknown {
  try {
    return of(object);
  } catch (error) {
    const { code, name } = error as { readonly code?: string; readonly name: string };
    return { [inspect.custom]: () => options.stylize(`[${code ?? name}]`, 'special') };
  }
}
