// What a check finds.

/** 'care' wants something done; 'note' is worth knowing. */
export type Level = 'ok' | 'note' | 'care';

/** One thing that was looked at. */
export interface Finding {
  readonly id: string;
  readonly level: Level;
  /** One line. */
  readonly title: string;
  /** What it means for memory mapping. */
  readonly detail: string;
  /** Commands for a shell: what helps at once first, then what makes it last. */
  readonly fix?: readonly string[];
}

/** '' if the user is root, who may have no sudo. */
export type Sudo = '' | 'sudo ';

/** Sets a variable of sysctl(8), now and for good. */
export function sysctl(sudo: Sudo, name: string, value: number): string[] {
  const file = `/etc/sysctl.d/90-memmap-${name.split('.').at(-1)?.replaceAll('_', '-')}.conf`;
  return [
    `${sudo}sysctl -w ${name}=${value}  # until the next boot`,
    `echo '${name} = ${value}' | ${sudo}tee ${file}  # from the next boot on`,
  ];
}
