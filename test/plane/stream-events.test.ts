import t from 'tap';
import { createStreamEvents } from '../../src/plane/stream-events.ts';
import type { StreamInfo } from '../../src/xds/events.ts';

t.test('each event goes to those that hear of it, in the order in which they were added', async (t) => {
  const { hooks, admit, observe } = createStreamEvents();
  const stream = { id: 7 } as StreamInfo;
  hooks.onStreamOpen(stream);
  admit();
  const told: string[] = [];
  observe(
    { onStreamOpen: ({ id }) => told.push(`first ${id}`) },
    {
      onConfirmed: ({ id }, has) => told.push(`confirmed ${id} ${has({ revision: 1 })}`),
      onStreamOpen: ({ id }) => told.push(`second ${id}`),
    },
  );
  observe({
    onStreamOpen: ({ id }) => told.push(`third ${id}`),
    admit() {
      throw new Error('no room');
    },
  });
  hooks.onStreamOpen(stream);
  hooks.onStreamClose(stream);
  hooks.onConfirmed(stream, ({ revision }) => revision === 1);
  t.strictSame(told, ['first 7', 'second 7', 'third 7', 'confirmed 7 true']);
  t.throws(admit, { message: 'no room' });
});
