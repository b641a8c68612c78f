import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Clock, Timer } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { formatIdentity, type Identity } from '../model/values/identity.ts';
import { readTrustFolder, type TrustMaterial, versionOf } from './trust-folder.ts';

/** Who a control plane must be. */
type Expected = Pick<Identity, 'role' | 'idc'>;

/** A change of what is in force. `reason`: what is on disk cannot be used, and that before stays in force. */
export type TrustChange =
  | { readonly kind: 'updated'; readonly material: TrustMaterial }
  | { readonly kind: 'kept'; readonly reason: string };

/** The certificate, key and roots in a folder, followed as they are replaced. */
export interface TrustWatch {
  /** What is in force: the last that could be used. */
  current(): TrustMaterial;
  /** Why what is on disk is not in force; undefined: it is. */
  problem(): string | undefined;
  observe(fn: (change: TrustChange) => void): void;
  close(): void;
}

/** A rename is one system call to see: milliseconds between two looks. */
const lookMs = 1_000;

/**
 * Follows a folder. Throws MeshError `unavailable` if there is nothing in force yet, `invalid` if it cannot
 * be used, or is the identity of somebody else.
 */
export function watchTrust(folder: string, expected: Expected, clock: Clock): TrustWatch {
  const read = () => readExpected(folder, expected, clock.wall());
  let stamp = stampOf(folder);
  let material = read();
  let problem: string | undefined;
  const observers: ((change: TrustChange) => void)[] = [];
  const tell = (change: TrustChange) => {
    for (const observer of observers) observer(change);
  };
  let timer: Timer;
  const look = () => {
    timer = clock.after(lookMs, look);
    const now = stampOf(folder);
    if (now === stamp) return;
    stamp = now;
    try {
      material = read();
      problem = undefined;
      tell({ kind: 'updated', material });
    } catch (reason) {
      const { message } = MeshError.from(reason);
      if (message === problem) return;
      problem = message;
      tell({ kind: 'kept', reason: message });
    }
  };
  timer = clock.after(lookMs, look);
  return {
    current: () => material,
    problem: () => problem,
    observe: (fn) => void observers.push(fn),
    close: () => timer.cancel(),
  };
}

function readExpected(folder: string, { role, idc }: Expected, wallMs: number): TrustMaterial {
  const found = readTrustFolder(folder, wallMs);
  if (found === undefined)
    throw new MeshError(
      'unavailable',
      `${folder} has no certificate yet: isthmus identity --dir ${folder} gets one, with a token of isthmus ca token --id spiffe://TRUST-DOMAIN/idc/${idc}/${role}/NAME`,
      { ref: folder },
    );
  const { identity, notAfter } = found.own;
  if (identity.role !== role || identity.idc !== idc)
    throw new MeshError(
      'invalid',
      `${folder} has the certificate of ${formatIdentity(identity)}: one of role ${role} of IDC ${idc} is needed`,
      { ref: folder },
    );
  if (notAfter <= wallMs)
    throw new MeshError(
      'invalid',
      `the certificate in ${folder} has expired: let isthmus identity get another`,
      {
        ref: folder,
      },
    );
  return found;
}

/** What changes with each replacement: the version, and of each file what the system says of it. */
function stampOf(folder: string): string {
  const base = resolve(folder);
  const version = versionOf(base) ?? '';
  const files = ['cert.pem', 'key.pem', 'ca.pem'].map((name) => {
    const stats = statSync(join(base, version, name), { throwIfNoEntry: false });
    return stats === undefined ? '-' : `${stats.ino}.${stats.mtimeMs}.${stats.size}`;
  });
  return [version, ...files].join(' ');
}
