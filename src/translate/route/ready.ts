import type { VirtualHost } from '../../../protos/gen/envoy.d.ts';
import { setHeader } from '../message-parts.ts';

/** Path where a load balancer asks an edge whether it should get clients. */
const readyPath = '/.isthmus/ready';

/** The answer, at hosts of no Group: paths of Groups' hosts are their own. */
export function readyHost(isReady: boolean): VirtualHost {
  return {
    name: 'ready',
    domains: ['*'],
    routes: [
      {
        match: { path: readyPath },
        direct_response: {
          status: isReady ? 200 : 503,
          body: { inline_string: isReady ? 'ready' : 'evacuated' },
        },
        response_headers_to_add: [setHeader('cache-control', 'no-store')],
      },
    ],
  };
}
