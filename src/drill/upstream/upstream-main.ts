// Entry point of an instance's process: node upstream-main.ts OPTIONS-AS-JSON (UpstreamOptions).
import { endWithParent } from '../process/lifeline.ts';
import { startUpstream, type UpstreamOptions } from './upstream.ts';

const options: UpstreamOptions = JSON.parse(process.argv[2] ?? '{}');
endWithParent();
// Loaded on demand: the drill starts many instances, and most of them speak HTTP.
if (options.protocol === 'GRPC') await (await import('./upstream-grpc.ts')).startGrpcUpstream(options);
else if (options.protocol === 'TCP') await (await import('./upstream-tcp.ts')).startTcpUpstream(options);
else await startUpstream(options);
