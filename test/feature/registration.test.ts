import t from 'tap';
import { freeAddress, get, until } from '../support/mesh.ts';
import { startRegisteringMesh } from '../support/planes/registering.ts';

for (const mode of ['delta', 'sotw'] as const) {
  t.test(`${mode}: an instance registers, is reached, and is gone when that is said`, async (t) => {
    const mesh = await startRegisteringMesh();
    t.teardown(() => mesh.close());
    const apps = await Promise.all(
      ['one', 'two'].map((text) => mesh.app((_, response) => response.end(text))),
    );
    const outbound = await freeAddress();
    await mesh.envoy('caller', { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound }, { mode });
    const body = (port: number) => ({
      address: '127.0.0.1',
      ports: { http: port },
      labels: { app: 'echo' },
      locality: 'sh-a',
    });
    for (const [index, app] of apps.entries()) {
      const answer = await mesh.api('PUT', `/shop/echo-${index}?wait=acked`, body(app.port));
      t.match(answer, { status: 201, body: { state: 'ready', acked: true } });
    }
    const seen = async () => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => get(outbound, '/', { host: 'echo.shop' })),
      );
      return new Set(answers.map((answer) => answer.body));
    };
    await until('both serve', async () => (await seen()).size === 2);

    const gone = await mesh.api('DELETE', '/shop/echo-0?wait=acked');
    t.match(gone, { status: 200, body: { state: 'gone', acked: true, forgiven: undefined } });
    t.strictSame([...(await seen())], ['two'], 'from the answer on nothing reaches it');
    t.match(await mesh.api('DELETE', '/shop/echo-0?wait=acked'), { status: 200, body: { state: 'gone' } });
    t.match(await mesh.api('GET', '/shop/echo-0'), { status: 404 });

    const drained = await mesh.api('POST', '/shop/echo-1/drain?wait=acked');
    t.match(drained, { status: 200, body: { state: 'draining', acked: true } });
    t.equal((await get(outbound, '/', { host: 'echo.shop' })).status, 503);
    await mesh.api('POST', '/shop/echo-1/resume?wait=acked');
    t.equal((await get(outbound, '/', { host: 'echo.shop' })).body, 'two');
  });
}
