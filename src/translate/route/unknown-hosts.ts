import type { VirtualHost } from '../../../protos/gen/envoy.d.ts';
import { sharedMessage } from '../../base/shared-message.ts';
import { outcomeHeader, unknownHostOutcome } from '../../model/trail.ts';
import { setHeader } from '../message-parts.ts';

/**
 * A sidecar's answer for hosts of none of its Groups: a marked 404, distinct from an application's. gRPC gets
 * UNIMPLEMENTED, which maps a 404, with the body as message. Not for a Group's host without a matching route,
 * which has a virtual host, nor for CONNECT: Envoy 1.40 answers 403 to an upgrade on a direct response route,
 * and 404 without a route.
 */
export const unknownHosts: VirtualHost = sharedMessage<VirtualHost>({
  name: 'unknown',
  domains: ['*'],
  ...refusing('isthmus: none of the Groups that this sidecar calls has this host'),
});

/**
 * The same for hosts of Groups outside of a sidecar's scope, if it passes unknown hosts through: bypassing
 * the Group would lose its policy and its other IDCs.
 */
export function knownHosts(hosts: readonly string[]): VirtualHost {
  return {
    name: 'known',
    domains: [...hosts],
    ...refusing(
      'isthmus: this host belongs to a Group that this sidecar does not call (--depends-on) or may not see (exportTo)',
    ),
  };
}

function refusing(text: string): Pick<VirtualHost, 'routes' | 'response_headers_to_add'> {
  return {
    routes: [{ match: { prefix: '/' }, direct_response: { status: 404, body: { inline_string: text } } }],
    response_headers_to_add: [setHeader(outcomeHeader, unknownHostOutcome)],
  };
}
