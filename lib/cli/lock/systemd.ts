// Telling systemd how a service does: sd_notify(3). The protocol is a datagram to a Unix socket,
// which Node cannot send; the program systemd-notify, which comes with systemd, does.
import { spawnSync } from 'node:child_process';

/** Milliseconds: it waits until systemd has read it. */
const PATIENCE = 10_000;

/** What a service tells its manager. Does nothing where there is none. */
export class Service {
  readonly #complain: (text: string) => void;
  #heard = (process.env['NOTIFY_SOCKET'] ?? '') !== '';

  constructor(complain: (text: string) => void) {
    this.#complain = complain;
  }

  status(text: string): void {
    this.#notify(`--status=${text}`);
  }

  ready(text: string): void {
    this.#notify('--ready', `--status=${text}`);
  }

  stopping(): void {
    this.#notify('STOPPING=1');
  }

  #notify(...parts: string[]): void {
    if (!this.#heard) return;
    const { error, status } = spawnSync('systemd-notify', parts, { stdio: ['ignore', 'ignore', 'inherit'], timeout: PATIENCE });
    if (error === undefined && status === 0) return;
    // Once is enough.
    this.#heard = false;
    this.#complain(`systemd cannot be told: systemd-notify ${error === undefined ? `ended with ${status}` : `failed, ${error.message}`}. Without it a unit needs Type=exec`);
  }
}
