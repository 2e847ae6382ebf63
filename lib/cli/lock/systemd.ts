// Reports the state of a service to systemd: sd_notify(3). The protocol is a datagram to a Unix socket,
// which Node cannot send; the program systemd-notify, part of systemd, can.
import { spawnSync } from 'node:child_process';

/** Milliseconds: systemd-notify waits until systemd has read the message. */
const PATIENCE = 10_000;

/** Reports to the service manager. Does nothing if there is none. */
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
    // Report the failure only once.
    this.#heard = false;
    this.#complain(`cannot notify systemd: systemd-notify ${error === undefined ? `exited with ${status}` : `failed, ${error.message}`}. Without it the unit needs Type=exec`);
  }
}
