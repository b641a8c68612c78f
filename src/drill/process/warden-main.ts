// Entry point of the warden: node warden-main.ts TRACES-AS-JSON
// Outlives the drill by a moment: when its standard input closes, the drill has ended or was killed, and the
// warden removes whatever it left. Envoys cannot watch a pipe themselves.
import { type DrillTraces, removeTraces } from './sweep.ts';

const traces: DrillTraces = JSON.parse(process.argv[2] ?? '{}');
// It must outlive what ends its drill.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

process.stdout.write('ready\n');
await new Promise<void>((resolve) => {
  process.stdin.on('end', resolve);
  process.stdin.on('error', () => resolve());
  process.stdin.resume();
});
process.exitCode = removeTraces(traces).length > 0 ? 1 : 0;
