import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { endsWithMe } from '../kube/ends-with-me.ts';
import { type KubeApi, kubeTools } from '../kube/kube-api.ts';
import { freePort } from '../port.ts';

const folder = kubeTools();
const program = folder && join(folder, 'kube-controller-manager');

/** Why tests of rolling updates are left out; false: they are not. For `skip` of tap. */
export const withoutControllers = missing();

function missing(): string | false {
  if (program !== undefined && existsSync(program)) return false;
  const message = 'no kube-controller-manager: run make kube-tools';
  if (process.env.KUBE_TOOLS === 'required') throw new Error(message);
  return message;
}

/** Starts the controllers of Deployments and ReplicaSets; they end with the test. */
export async function startControllers(t: Test, api: KubeApi): Promise<void> {
  if (program === undefined) throw new Error('no kube-controller-manager: run make kube-tools');
  const kubeconfig = api.kubeconfig();
  const log = openSync(join(api.folder, 'kube-controller-manager.log'), 'a');
  const child = spawn(
    program,
    [
      ...[`--kubeconfig=${kubeconfig}`, `--authentication-kubeconfig=${kubeconfig}`],
      ...[`--authorization-kubeconfig=${kubeconfig}`, '--leader-elect=false', '--bind-address=127.0.0.1'],
      ...[`--secure-port=${await freePort()}`, `--cert-dir=${join(api.folder, 'controllers')}`],
      '--controllers=deployment-controller,replicaset-controller',
    ],
    { stdio: ['ignore', log, log] },
  );
  endsWithMe(child);
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  });
}
