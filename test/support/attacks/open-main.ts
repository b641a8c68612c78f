// The control of the attacks: a control plane whose xDS clients may do what they like. `node open-main.ts IDC
// CONFIG XDS ADMIN`.

import { serveAdmin } from '../../../src/api/admin-server.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { parseAddress } from '../../../src/cli/options/address.ts';
import { createLogger } from '../../../src/cli/process/log.ts';
import { startControlPlane } from '../../../src/plane/controlplane.ts';
import { openSource } from '../../../src/registry/open.ts';

const [idc = '', config = '', filters = '', xds = '', admin = ''] = process.argv.slice(2);
const many = 1e9;
const logger = createLogger('info');
await startControlPlane(
  {
    ...{ idc, clock: systemClock, logger, hopLimit: 1, filterStore: filters, xds: parseAddress(xds) },
    sources: [openSource(config, { clock: systemClock, logger })],
    onListening: async (plane) => void (await serveAdmin(plane, parseAddress(admin), undefined, {})),
  },
  {
    xdsLimits: {
      admission: {
        ...{ connectionsMax: many, connectionBurst: many, connectionsPerSecond: many, helloMsMax: many },
        ...{ streamlessMax: many, connectionStreamsMax: 2 ** 31 - 1, streamsMax: many },
        ...{ openingBurst: many, openingsPerSecond: many, overheadPerSecond: many },
        pieceBurst: many,
      },
      pace: { burstMs: many, allBurstMs: many, loopMs: many },
      intake: {
        ...{
          unknownBytesMax: 2 ** 30,
          messageBytesMax: 2 ** 30,
          connectionBytesMax: many,
          allBytesMax: 1e12,
        },
        ...{ inflatedBytesMax: 2 ** 30, messageMsMax: many },
      },
    },
  },
);
