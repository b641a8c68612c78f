import { Command } from 'commander';
import { helpEnd } from '../../help-end.ts';
import type { InjectCommandFlags } from '../../inject/run-inject.ts';
import { addInjectOptions } from '../../options/injection.ts';

/** `isthmus inject`: adds sidecars to objects of Kubernetes, without a cluster. */
export function injectCommand(): Command {
  const command = new Command('inject')
    .summary('add sidecars to objects of Kubernetes')
    .description(
      'Add a sidecar to each Deployment, StatefulSet, DaemonSet, Job, CronJob and Pod of a YAML file, as the webhook does; to standard output. Other documents are written as they are. Annotations isthmus.dev/… of the Pods say what differs. Pods with hostNetwork, or the label isthmus.dev/inject=false, are left alone. What is injected already is injected anew.',
    )
    .requiredOption('-f, --filename <file>', 'YAML, of one or more documents; -: standard input')
    .option('-n, --namespace <name>', 'namespace of objects that name none', 'default');
  return addInjectOptions(command)
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 written; 1 a Pod cannot be injected, nothing is written; 2 a file cannot be read.',
        examples: [
          'isthmus inject --idc sh-a --xds isthmus.isthmus-system.svc:15010 \\',
          '  -f deploy.yaml | kubectl apply -f -',
        ],
      }),
    )
    .action(async (flags: InjectCommandFlags) => {
      const { runInject } = await import('../../inject/run-inject.ts');
      process.exitCode = await runInject(flags, {
        out: (text) => process.stdout.write(text),
        err: (text) => process.stderr.write(text),
      });
    });
}
