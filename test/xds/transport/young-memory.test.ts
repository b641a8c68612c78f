import { connect, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import t from 'tap';
import { collectWhatWasRead } from '../../../src/xds/transport/young-memory.ts';

const ackBytes = 24 * 1024;
const acks = 24_000;

/**
 * Reads `acks` messages of `ackBytes` from an HTTP/2 connection; how often V8 marked its whole heap for it.
 */
async function majorsWhile(wasRead: (bytes: number) => void): Promise<number> {
  let majors = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries() as (PerformanceEntry & { detail: { kind: number } })[])
      if (detail.kind !== constants.NODE_PERFORMANCE_GC_MINOR) majors += 1;
  });
  observer.observe({ entryTypes: ['gc'] });
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const whole = new Promise<void>((resolve) => {
    server.on('stream', (stream) => {
      let left = ackBytes * acks;
      stream.on('data', (chunk: Buffer) => {
        wasRead(chunk.length);
        left -= chunk.length;
        if (left === 0) resolve();
      });
      stream.respond({ ':status': 200 });
    });
  });
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const request = client.request({ ':method': 'POST' });
  const ack = Buffer.alloc(ackBytes);
  for (let sent = 0; sent < acks; sent++)
    if (!request.write(ack)) await new Promise((resolve) => request.once('drain', resolve));
  await whole;
  client.destroy();
  server.close();
  // Entries are handed over in a later turn of the loop.
  await new Promise((resolve) => setTimeout(resolve, 100));
  observer.disconnect();
  return majors;
}

t.test('the buffers of long ACKs do not make V8 mark its whole heap', async (t) => {
  const without = await majorsWhile(() => {});
  const withIt = await majorsWhile(collectWhatWasRead());
  t.ok(without >= 6, `the control: ${without} times without collecting`);
  t.ok(withIt <= without / 2, `${withIt} times with it`);
});

t.test('young memory is collected every 4 MiB, not for each read', async (t) => {
  let collected = 0;
  const wasRead = collectWhatWasRead(() => {
    collected += 1;
  });
  for (let read = 0; read < 1023; read++) wasRead(4096);
  t.equal(collected, 0, 'not before');
  wasRead(4096);
  t.equal(collected, 1, 'then once');
  wasRead(4096);
  t.equal(collected, 1, 'and from there on again');
});
