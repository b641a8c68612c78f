import { Agent, get } from 'node:http';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';

/** Requests one after another over four connections; counts those that were not answered with 200. */
export function runLoad(to: ListenAddress, host: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const seen = { requests: 0, failed: 0 };
  let stopped = false;
  const once = () =>
    new Promise<void>((resolve) => {
      get({ host: to.address, port: to.port, agent, headers: { host } }, (response) => {
        if (response.statusCode !== 200) seen.failed += 1;
        response.resume().on('end', resolve);
      }).on('error', () => {
        seen.failed += 1;
        resolve();
      });
    });
  const runs = Array.from({ length: 4 }, async () => {
    while (!stopped) {
      await once();
      seen.requests += 1;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  });
  return {
    async stop() {
      stopped = true;
      await Promise.all(runs);
      agent.destroy();
      return seen;
    },
  };
}
