// What console.log() shows of the package's objects.
import { type InspectOptionsStylized, inspect } from 'node:util';

/** Has util.inspect() show the objects of a class as its name and these fields. */
export function showAs<T extends object>(prototype: T, fieldsOf: (object: T) => Readonly<Record<string, unknown>>): void {
  function show(this: T, depth: number, options: InspectOptionsStylized): string {
    const { name } = this.constructor;
    // The class itself, not an object of it.
    if (this === prototype) return `${name} {}`;
    if (depth < 0) return options.stylize(`[${name}]`, 'special');
    return `${name} ${inspect(fieldsOf(this), { ...options, depth })}`;
  }
  Object.defineProperty(prototype, inspect.custom, { value: show, configurable: true, writable: true });
}
