import { Command } from 'commander';
import { helpEnd } from '../../help-end.ts';
import type { ReleaseFlags } from '../../kube/release-finalizers.ts';

/** `isthmus release-finalizers`: what an uninstalled Isthmus would leave undeletable. */
export function releaseFinalizersCommand(): Command {
  return new Command('release-finalizers')
    .summary('take the finalizer of Isthmus off all objects of a cluster')
    .description(
      'Take the finalizer isthmus.dev/propagated off all objects of a cluster, so that they can be deleted without Isthmus; those that are being deleted end. Without --yes it only tells how many there are. Nothing else of an object changes. End registrars first, as they add it again. While proxies are connected, an instance that is deleted may still get requests: use it when Isthmus is removed.',
    )
    .option('--kubeconfig <file>', 'how to get to the API server')
    .option('--kube-context <name>', 'the context of that file; without it, its current one')
    .option('--in-cluster', 'the cluster is the one that this Pod runs in')
    .option('-n, --namespace <name>', 'only objects of this namespace')
    .option('--yes', 'do it')
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 done, or told; 1 something has added it again; 2 it could not run, or the API server refuses: the rest keeps it; 130 interrupted.',
        examples: [
          'isthmus release-finalizers --kubeconfig ~/.kube/config',
          'isthmus release-finalizers --kubeconfig ~/.kube/config --yes',
        ],
      }),
    )
    .action(async (flags: ReleaseFlags) => {
      const { runReleaseFinalizers } = await import('../../kube/release-finalizers.ts');
      process.exitCode = await runReleaseFinalizers(flags, {
        out: (line) => void process.stdout.write(`${line}\n`),
        err: (line) => void process.stderr.write(`${line}\n`),
      });
    });
}
