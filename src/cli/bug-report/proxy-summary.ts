import { compareText } from '../../base/text/compare-text.ts';
import { textTable } from '../../base/text/text-table.ts';
import { durationText } from '../../model/values/duration.ts';
import type { AskedPlane } from '../check/asked-plane.ts';

type ProxyStatus = AskedPlane['proxies'][number];

/** Most proxies that are listed. */
const listedMax = 500;

/** A line for each connected proxy, those first that are not in sync, at most 500. */
export function proxySummary(proxies: readonly ProxyStatus[]): string {
  if (proxies.length === 0) return 'none is connected\n';
  const sorted = [...proxies].sort(
    (a, b) => Number(isInSync(a)) - Number(isInSync(b)) || compareText(a.id, b.id),
  );
  const rows = sorted
    .slice(0, listedMax)
    .map(({ id, role, idc, client, protocol, connectedForMs, types }) => [
      ...[id, role, idc, client === undefined ? '-' : `${client.name} ${client.version}`, protocol],
      ...[durationText(connectedForMs), statesOf(types)],
    ]);
  const more = proxies.length - rows.length;
  const lines = textTable([['NODE', 'ROLE', 'IDC', 'PROGRAM', 'PROTOCOL', 'CONNECTED', 'STATES'], ...rows]);
  return `${[...lines, ...(more > 0 ? [`[left out: ${more} more]`] : [])].join('\n')}\n`;
}

function isInSync({ types }: ProxyStatus): boolean {
  return Object.values(types).every(({ state }) => state === 'SYNCED');
}

function statesOf(types: ProxyStatus['types']): string {
  return Object.entries(types)
    .map(([type, { state, nack }]) => `${type} ${state}${nack === undefined ? '' : ` (${nack.message})`}`)
    .join(', ');
}
