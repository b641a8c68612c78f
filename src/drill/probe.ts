import { request } from 'node:http';
import type { ListenAddress } from '../model/node.ts';

/** What the ids of probes begin with: they are not part of the load and are left out of all counts. */
export const probePrefix = 'probe:';

let count = 0;

/** Sends one GET / for `host` and resolves with '' when it was served, else with what happened. */
export function probe(to: ListenAddress, host: string, timeoutMs = 1000): Promise<string> {
  return new Promise((resolve) => {
    const headers = { host, 'x-drill-id': `${probePrefix}${count++}` };
    const sent = request({ host: to.address, port: to.port, headers, agent: false, timeout: timeoutMs });
    sent.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200 ? '' : `status ${response.statusCode}`));
      response.on('error', (error) => resolve(error.message));
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${timeoutMs} ms`)));
    sent.on('error', (error) => resolve(error.message));
    sent.end();
  });
}
