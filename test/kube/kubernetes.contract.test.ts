import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/random.ts';
import { readKubeconfig } from '../../src/kube/config/kubeconfig.ts';
import { createKubernetesSource } from '../../src/registry/kubernetes/kubernetes-source.ts';
import { sourceContract } from '../registry/contract.ts';
import { KubeApi, withoutKube } from '../support/kube/kube-api.ts';
import { defineKinds, pathOf, putObject, removeAll } from '../support/kube/kube-kinds.ts';

// One API server for all stories: each begins with none of the objects.
const started = withoutKube ? undefined : KubeApi.start(t);

if (started === undefined) t.pass('left out', { skip: withoutKube });
else {
  const api = await started;
  await defineKinds(api);
  await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  const file = api.kubeconfig();
  sourceContract('kubernetes', async () => {
    await removeAll(api);
    return {
      createSource: () =>
        createKubernetesSource({
          access: () => readKubeconfig({ file }, systemClock),
          clock: systemClock,
          random: seededRandom(1),
        }),
      put: (object) => putObject(api, object),
      async remove(object) {
        await api.must('DELETE', pathOf(object));
      },
      close: async () => {},
    };
  });
}
