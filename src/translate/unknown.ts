import type { VirtualHost } from '../../protos/gen/envoy.d.ts';
import { outcomeHeader, unknownHostOutcome } from '../model/trail.ts';

/**
 * What a sidecar answers for hosts that none of its Groups has: a 404 that says so, and is not taken for an application's.
 * gRPC gets UNIMPLEMENTED, to which it maps a 404, with the body as its message. A host that a Group has is not meant, also
 * where it has no route for the request: that one finds its own virtual host. Nor is CONNECT: to Envoy 1.40 a route
 * with an answer of its own is one that refuses the upgrade, a 403; without a route it is a 404.
 */
export const unknownHosts: VirtualHost = Object.freeze<VirtualHost>({
  name: 'unknown',
  domains: ['*'],
  routes: [
    {
      match: { prefix: '/' },
      direct_response: {
        status: 404,
        body: { inline_string: 'isthmus: no Group that this sidecar calls has this host' },
      },
    },
  ],
  response_headers_to_add: [
    {
      header: { key: outcomeHeader, value: unknownHostOutcome },
      append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
    },
  ],
});
