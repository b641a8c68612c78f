/**
 * Generates `protos/gen/` from Envoy's .proto files as the npm package @grpc/grpc-js-xds carries them, plus
 * `overlay.ts`: `schema.json` for the codec, `descriptors.json` for reflection, `envoy.d.ts` for whoever
 * builds messages. Run: `make gen`. Use: `import type { Cluster, envoy } from '../../protos/gen/envoy.d.ts'`;
 * short names for the resources, full names for the rest, such as `envoy.config.core.v3.HealthCheck` or
 * `envoy.config.cluster.v3.Cluster.LbPolicy`; `Any` is checked by its '@type'.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { buildDescriptors } from './descriptors.ts';
import { loadProtos } from './load.ts';
import { buildSchema } from './schema.ts';
import { buildTypes } from './types.ts';

const folder = new URL('./gen/', import.meta.url);
const loaded = await loadProtos();
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('schema.json', folder), JSON.stringify(buildSchema(loaded)));
writeFileSync(new URL('envoy.d.ts', folder), buildTypes(loaded));
writeFileSync(new URL('descriptors.json', folder), JSON.stringify(buildDescriptors(loaded)));
console.log(`protos/gen: ${loaded.messages.length} messages, ${loaded.enums.length} enums`);
