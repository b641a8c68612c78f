import t from 'tap';
import { clientVersion } from '../../src/plane/client-version.ts';

t.test('a client says what program it runs', async (t) => {
  const version = { major_number: 1, minor_number: 40 };
  const envoy = { id: 'a', user_agent_name: 'envoy', user_agent_build_version: { version } };
  t.strictSame(clientVersion(envoy), { name: 'envoy', version: '1.40.0' });
  const grpc = { id: 'a', user_agent_name: 'gRPC Go', user_agent_version: '1.70.0' };
  t.strictSame(clientVersion(grpc), { name: 'gRPC Go', version: '1.70.0' });
  t.equal(clientVersion({ id: 'a', user_agent_name: 'gRPC Go' }), undefined);
  t.equal(clientVersion({ id: 'a' }), undefined);
});

t.test('what it says is short, and on one line', async (t) => {
  const long = `\u001b[2J\n${'x'.repeat(2 ** 20)}`;
  const said = clientVersion({ id: 'a', user_agent_name: long, user_agent_version: long });
  for (const text of [said?.name, said?.version]) t.match(text, /^\\u\{1b\}\[2J x+… \(\d+ bytes more\)$/);
  t.ok(JSON.stringify(said).length < 256);
});
