import { Command, Option } from 'commander';
import { logLevels } from '../../../base/log.ts';
import { readClusterName } from '../../../registrar/cluster-name.ts';
import { helpEnd } from '../../help-end.ts';
import type { RegistrarFlags } from '../../kube/run-registrar.ts';
import { parseBindAddress, parseIdcName } from '../../options/address.ts';
import { readArgument } from '../../options/argument.ts';

/** `isthmus registrar`: registers the Pods of a cluster in another one. */
export function registrarCommand(): Command {
  return new Command('registrar')
    .summary('register the Pods of a Remote cluster in the Primary')
    .description(
      'Keep a WorkloadEntry in the Primary for each ready Pod of this cluster that has the label isthmus.dev/group. Any number may run: the holder of the Lease isthmus-registrar-CLUSTER in the Primary writes. What is registered stays when this process ends, and when the API server of this cluster is away.',
    )
    .requiredOption('--idc <name>', 'the IDC that this cluster is in', parseIdcName)
    .requiredOption('--cluster <name>', 'the name of this cluster: no two have one', parseCluster)
    .requiredOption('--primary-kubeconfig <file>', 'how to get to the API server of the Primary')
    .option('--primary-context <name>', 'the context of that file; without it, its current one')
    .option('--primary-namespace <name>', 'namespace of the Lease in the Primary', 'isthmus-system')
    .option('--kubeconfig <file>', 'how to get to the API server of this cluster')
    .option('--kube-context <name>', 'the context of that file; without it, its current one')
    .option('--in-cluster', 'this cluster is the one that this Pod runs in')
    .option('--withdraw', 'delete all that is registered of this cluster, wait until it is gone, and end')
    .option(
      '--listen <host:port>',
      'where /healthz, /readyz and /status are; without it, nowhere',
      parseBindAddress,
    )
    .addOption(new Option('--log-level <level>', 'least level to log').choices(logLevels).default('info'))
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 stopped by SIGTERM, or withdrawn; 2 it could not start.',
        examples: [
          'isthmus registrar --idc sh-a --cluster sh-a-apps-1 --in-cluster \\',
          '  --primary-kubeconfig /etc/isthmus/primary/kubeconfig --listen 0.0.0.0:15018',
        ],
      }),
    )
    .action(async (flags: RegistrarFlags) => {
      const { runRegistrar } = await import('../../kube/run-registrar.ts');
      await runRegistrar(flags);
    });
}

function parseCluster(text: string): string {
  return readArgument(() => readClusterName(text));
}
