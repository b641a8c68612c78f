import type { ServiceEntry } from '../../model/service.ts';
import { isWildcard } from '../../model/values/hostname.ts';
import type { Lint } from '../lint.ts';
import type { Coverage } from '../mesh.ts';

const http: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC']);

/**
 * TCP ports whose connections may go to another IDC: notes of what such a connection loses there
 * (docs/decisions/060-tunnels-listen-on-sockets.md).
 */
export function lintTcpCrossing(
  entries: readonly ServiceEntry[],
  { groupsOf }: Pick<Coverage, 'groupsOf'>,
): Lint[] {
  return entries.flatMap((object) => {
    const group = groupsOf(object).find(({ spec }) => spec.hopLimit > 0);
    if (group === undefined || object.spec.hosts.every(isWildcard)) return [];
    const { resolution } = object.spec;
    if (resolution === 'NONE' || resolution === 'DYNAMIC_DNS') return [];
    return object.spec.ports.flatMap((port, index): Lint[] => {
      if (http.has(port.protocol)) return [];
      const message = `connections may go to another IDC (DrGroup ${group.meta.name}) and lose two things there: data that a client sends after the server has closed does not arrive, and a client's reset arrives as a close. Protocols in which the client closes first, or the server after its answer, are complete; with hopLimit 0 connections stay local.`;
      return [
        {
          code: 'ConnectionsLoseEnds',
          object,
          path: ['spec', 'ports', index, 'protocol'],
          message,
          severity: 'note',
        },
      ];
    });
  });
}
