import { Command } from 'commander';
import { helpEnd } from '../help-end.ts';

/** `isthmus quickstart DIR`: write two IDCs on loopback, ready to be started. */
export function quickstartCommand(): Command {
  return new Command('quickstart')
    .summary('write two IDCs on this machine, ready to be started')
    .description(
      'Write a folder with two IDCs on loopback addresses: objects, bootstraps of seven Envoys, a workload, a script that starts everything, and a README.md with each command and one request for each entrance.',
    )
    .argument('<dir>', 'a new or an empty folder')
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 written; 2 DIR is not empty, or cannot be written.',
        examples: [
          'isthmus quickstart demo',
          'demo/run.sh',
          '# in another terminal',
          "curl -H 'Host: checkout.shop' http://127.11.1.2:15001/",
        ],
      }),
    )
    .action(async (dir: string) => {
      const { writeQuickstart } = await import('../quickstart/write-quickstart.ts');
      await writeQuickstart(dir);
      process.stdout.write(`Written. Start it: ${/^[./]/.test(dir) ? '' : './'}${dir}/run.sh\n`);
    });
}
