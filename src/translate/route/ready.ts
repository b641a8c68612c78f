import type { VirtualHost } from '../../../protos/gen/envoy.d.ts';

/** Where whoever balances by health asks an edge whether to send clients there. */
const readyPath = '/.isthmus/ready';

/** The answer, at hosts that no Group has: those of Groups are their own. */
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
        response_headers_to_add: [
          {
            header: { key: 'cache-control', value: 'no-store' },
            append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
          },
        ],
      },
    ],
  };
}
