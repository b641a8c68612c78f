import t from 'tap';
import { createTestTrust } from '../../support/trust.ts';
import { startSource, TestFolder } from '../folder-fixture.ts';
import { idc, toYaml } from '../objects.ts';

t.test('a version of an Idc that skips a step of TLS is told of, and the last one stays', async (t) => {
  const trust = createTestTrust();
  t.teardown(() => trust.close());
  const roots = (await trust.root()).certificate;
  const of = (mode: string) => {
    const object = idc('sh-a');
    return { ...object, spec: { ...object.spec, trustDomain: 'sh-a.example', peerTls: { mode, roots } } };
  };
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(of('accept')));
  const { seen } = await startSource(t, folder.path);
  const mode = () => {
    const object = seen.state().get('Idc/sh-a') ?? seen.state().get('Idc//sh-a');
    return object?.kind === 'Idc' ? object.spec.peerTls?.mode : undefined;
  };
  t.equal(mode(), 'accept', 'the first version has no step before it');

  folder.replace('mesh.yaml', toYaml(of('require')));
  await seen.until('a word', () => seen.errors().length > 0);
  t.match(seen.errors(), [
    { code: 'TlsStepSkipped', path: 'spec.peerTls.mode', message: /goes from accept to require at once/ },
  ]);
  t.equal(mode(), 'accept');

  folder.replace('mesh.yaml', toYaml(of('use')));
  await seen.until('the step', () => mode() === 'use');
  await seen.until('no word', () => seen.errors().length === 0);
  folder.replace('mesh.yaml', toYaml(of('require')));
  await seen.until('the next', () => mode() === 'require');
  t.strictSame(seen.errors(), []);
});
