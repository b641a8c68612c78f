import type { VirtualHost } from '../../../protos/gen/envoy.d.ts';
import { sharedMessage } from '../../base/shared-message.ts';
import { outcomeHeader, unknownHostOutcome } from '../../model/trail.ts';

/**
 * What a sidecar answers for hosts that none of its Groups has: a 404 that says so, and is not taken for an
 * application's. gRPC gets UNIMPLEMENTED, to which it maps a 404, with the body as its message. A host that a
 * Group has is not meant, also where it has no route for the request: that one finds its own virtual host.
 * Nor is CONNECT: to Envoy 1.40 a route with an answer of its own is one that refuses the upgrade, a 403;
 * without a route it is a 404.
 */
export const unknownHosts: VirtualHost = sharedMessage<VirtualHost>({
  name: 'unknown',
  domains: ['*'],
  ...refusing('isthmus: no Group that this sidecar calls has this host'),
});

/**
 * The same for hosts of Groups that a sidecar does not call, or may not see, where it passes unknown hosts
 * through: past their Group they would have neither its policy nor its other IDCs.
 */
export function knownHosts(hosts: readonly string[]): VirtualHost {
  return {
    name: 'known',
    domains: [...hosts],
    ...refusing(
      'isthmus: a Group has this host that this sidecar does not call (--depends-on) or may not see (exportTo)',
    ),
  };
}

function refusing(text: string): Pick<VirtualHost, 'routes' | 'response_headers_to_add'> {
  return {
    routes: [{ match: { prefix: '/' }, direct_response: { status: 404, body: { inline_string: text } } }],
    response_headers_to_add: [
      {
        header: { key: outcomeHeader, value: unknownHostOutcome },
        append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
      },
    ],
  };
}
