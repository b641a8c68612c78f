// Worker thread of open-loop.ts: sends requests when they are due; tells how many were served, and what
// became of the others.
import { Agent, request } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';
import type { LoadPlan } from './open-loop.ts';

const { targets, ratePerSecond, headers } = workerData as LoadPlan;
const agent = new Agent({ keepAlive: true });
const failed: string[] = [];
const start = performance.now();
let served = 0;
let sent = 0;
let open = 0;
let stopping = false;

function send(): void {
  const { address, port } = targets[sent++ % targets.length] as LoadPlan['targets'][number];
  open += 1;
  let done = false;
  const end = (fault?: string) => {
    if (done) return;
    done = true;
    open -= 1;
    if (fault === undefined) served += 1;
    else failed.push(fault);
  };
  request({ agent, host: address, port, headers: { ...headers } }, (response) => {
    let body = '';
    response.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    response.on('error', (error) => end(error.message));
    response.on('end', () =>
      end(response.statusCode === 200 ? undefined : `status ${response.statusCode}: ${body}`),
    );
  })
    .on('error', (error) => end(error.message))
    .end();
}

const timer = setInterval(() => {
  const due = ((performance.now() - start) * ratePerSecond) / 1000;
  while (!stopping && sent < due) send();
  const last = stopping && open === 0;
  parentPort?.postMessage({ served, failed, last });
  if (!last) return;
  clearInterval(timer);
  agent.destroy();
  parentPort?.close();
}, 2);

parentPort?.on('message', () => {
  stopping = true;
});
