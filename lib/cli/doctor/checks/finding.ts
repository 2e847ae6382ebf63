// The result of a check.

/** 'care': the user should do something. 'note': worth knowing. */
export type Level = 'ok' | 'note' | 'care';

/** The result of one check. */
export interface Finding {
  readonly id: string;
  readonly level: Level;
  /** One line. */
  readonly title: string;
  /** What it means for memory mapping. */
  readonly detail: string;
  /** Shell commands: first those that help at once, then those that last after a reboot. */
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
