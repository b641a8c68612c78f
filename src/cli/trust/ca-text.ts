import { textTable } from '../../base/text/text-table.ts';
import { durationText } from '../../model/values/duration.ts';
import type { CaStatus } from '../../trust/ca/authority.ts';

const shownMax = 20;

/** Roots, and who has a certificate, for people. `now`: milliseconds since the Unix epoch. */
export function caListText(status: CaStatus, now: number): string {
  const { facts, roots, leaves, openTokens } = status;
  const left = (notAfter: number) => (notAfter > now ? durationText(notAfter - now) : 'EXPIRED');
  const rootRows = roots.map(({ id, state, pin, notAfter }) => [String(id), state, left(notAfter), pin]);
  const leafRows = leaves.map(({ identity, root, notAfter, revokedAt, serial }) => [
    ...[identity, String(root), revokedAt === null ? left(notAfter) : `${left(notAfter)}, REVOKED`, serial],
  ]);
  return [
    `authority of ${facts.idc}, trust domain ${facts.trustDomain}; certificates are valid for ${durationText(facts.leafMs)}; ${openTokens} tokens can be used`,
    '',
    ...textTable([['ROOT', 'STATE', 'LEFT', 'HASH'], ...rootRows]),
    '',
    ...textTable([['IDENTITY', 'ROOT', 'LEFT', 'SERIAL'], ...leafRows]),
    '',
  ].join('\n');
}

/** How far a rotation is, for people. */
export function rotationText({ rotation: { phase, waitingFor }, roots }: CaStatus): string {
  const words = {
    none: `one root signs: ${roots[0]?.pin}`,
    spreading: 'the new root is being told to everybody, and signs nothing yet',
    renewing: 'the new root signs; the old one is trusted still',
  }[phase];
  const more = waitingFor.length - shownMax;
  const lines = waitingFor.slice(0, shownMax).map((one) => `  waiting for ${one}`);
  const next =
    phase === 'renewing' && waitingFor.length === 0
      ? ['nobody needs the old root: isthmus ca rotate finish']
      : [];
  return `${[words, ...lines, ...(more > 0 ? [`  and ${more} more`] : []), ...next].join('\n')}\n`;
}
