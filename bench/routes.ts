// What routes by scope cost: one Group added to a sidecar of many and to many sidecars, and each request,
// against proxies that have one table for all hosts: `node bench/routes.ts [--only added,streams,requests]
// [--rounds N] [--json FILE]`.
import { parseArgs } from 'node:util';
import { type AddedRow, measureAdded } from './routes/one-added.ts';
import { measureRequests, type RequestRow } from './routes/requests.ts';
import { measureStreams, type StreamRow } from './routes/streams.ts';
import { conclude } from './support/conclude.ts';
import { atMostTimes } from './support/floor.ts';
import { hasGo } from './support/go.ts';
import { thisMachine } from './support/machine.ts';
import { keepJson } from './support/results.ts';
import { atMost, figure, table, type Verdict, verdicts } from './support/table.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'added,streams,requests' },
    groups: { type: 'string', default: '1000,5000' },
    changes: { type: 'string', default: '30' },
    added: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '160' },
    requests: { type: 'string', default: '500' },
    json: { type: 'string', default: '.cache/bench/routes.json' },
  },
});

/**
 * Absolute by their nature: bytes, and what each of a fleet's sidecars may take for a Group that it may never
 * call; a Group's own clusters are some 0.2 MiB.
 */
const addedMax = { bytes: 4_096, routeBytes: 3_072, cpuMs: 20, growthMiB: 1 };
const timesMax = { latency: 1.5, request: 1.02 };

const only = values.only.split(',');
const added: AddedRow[] = [];
const streams: StreamRow[] = [];
const requests: RequestRow[] = [];
if (only.includes('added'))
  for (const groups of values.groups.split(',').map(Number)) {
    process.stderr.write(`one Group added to ${groups} …\n`);
    added.push(await measureAdded(groups, Number(values.added)));
  }
if (only.includes('streams') && !hasGo())
  console.log('one Group added to 1,000 sidecars: not measured, Go is missing (the client is a Go program)');
else if (only.includes('streams')) {
  process.stderr.write('one Group added to 1,000 sidecars …\n');
  streams.push(...(await measureStreams({ streams: 1_000, groups: 1_000, changes: Number(values.changes) })));
}
if (only.includes('requests')) {
  process.stderr.write('requests …\n');
  const load = { groups: 1_000, rounds: Number(values.rounds), requests: Number(values.requests) };
  requests.push(...(await measureRequests(load)));
}

const bounds = [...judgeAdded(), ...judgeStreams(), ...judgeRequests()];
const tables = [showAdded(), showStreams(), showRequests()];
console.log(`\n${tables.join('\n\n')}`);
keepJson(values.json, {
  ...{ machine: thisMachine(), added, streams, requests, bounds },
  tables: [...tables, verdicts(bounds)],
});
conclude(bounds);

function judgeAdded(): Verdict[] {
  return added.flatMap(({ groups, bytes, cpuMs, growthMiB }) => [
    ...atMost(`a Group added to ${groups}: bytes`, bytes, addedMax.bytes, 'bytes'),
    ...atMost(`a Group added to ${groups}: Envoy's CPU`, cpuMs, addedMax.cpuMs, 'ms'),
    ...atMost(`a Group added to ${groups}: Envoy's RSS, a Group`, growthMiB, addedMax.growthMiB, 'MiB'),
  ]);
}

function judgeStreams(): Verdict[] {
  const [endpoint, group] = streams;
  return [
    ...atMost('a Group added to 1,000 sidecars: bytes', group?.bytes, addedMax.bytes, 'bytes'),
    ...atMost('of these its scope and table', group?.routeBytes, addedMax.routeBytes, 'bytes'),
    ...atMostTimes('the same: p99 in that of an endpoint', group?.p99Ms, endpoint?.p99Ms, timesMax.latency),
    ...streams.flatMap(({ change, reached }) => atMost(`${change}: streams starved`, 1_000 - reached, 0, '')),
  ];
}

function judgeRequests(): Verdict[] {
  return requests
    .filter(({ listener, host }) => listener !== 'outbound' && host === 'its own table')
    .map(({ listener, ratio }) => ({
      what: `a request through ${listener}: CPU, against one table for all hosts`,
      bound: `${timesMax.request} x`,
      measured: `${ratio.toFixed(3)} x`,
      met: ratio <= timesMax.request,
    }));
}

function showAdded(): string {
  return table<AddedRow>(
    [
      ['Groups of the sidecar', (row) => row.groups],
      ['bytes for one more', (row) => Math.round(row.bytes)],
      ["Envoy's CPU ms", (row) => figure(row.cpuMs)],
      ['idle ms a second', (row) => figure(row.idleMs)],
      ['RSS MiB', (row) => row.residentMiB],
      ['more a Group MiB', (row) => figure(row.growthMiB)],
    ],
    added,
  );
}

function showStreams(): string {
  return table<StreamRow>(
    [
      ['change, 1,000 sidecars of 1,000 Groups', (row) => row.change],
      ['changes', (row) => row.changes],
      ['p50 ms', (row) => figure(row.p50Ms)],
      ['p99 ms', (row) => figure(row.p99Ms)],
      ['responses', (row) => figure(row.responses)],
      ['bytes', (row) => Math.round(row.bytes)],
      ['of it routes', (row) => Math.round(row.routeBytes)],
    ],
    streams,
  );
}

function showRequests(): string {
  return table<RequestRow>(
    [
      ['listener', (row) => row.listener],
      ['host', (row) => row.host],
      ['one table µs', (row) => figure(row.beforeUs)],
      ['scopes µs', (row) => figure(row.nowUs)],
      ['ratio', (row) => row.ratio.toFixed(3)],
      ['95 % low', (row) => row.low.toFixed(3)],
      ['high', (row) => row.high.toFixed(3)],
      ['CPU s each', (row) => figure(row.cpuS)],
    ],
    requests,
  );
}
