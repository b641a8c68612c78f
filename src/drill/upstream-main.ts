// Entry point of an instance's process: node upstream-main.ts OPTIONS-AS-JSON (UpstreamOptions and `grpc`).
import { holdToParent } from './lifeline.ts';
import { startUpstream, type UpstreamOptions } from './upstream.ts';

const { grpc, ...options }: UpstreamOptions & { grpc?: boolean } = JSON.parse(process.argv[2] ?? '{}');
holdToParent();
// Loaded only when wanted: the drill starts many instances, and all of them speak HTTP.
if (grpc) await (await import('./upstream-grpc.ts')).startGrpcUpstream(options);
else await startUpstream(options);
