import { Command } from 'commander';
import { systemClock } from '../../../base/clock.ts';
import { helpEnd } from '../../help-end.ts';
import { caFolderOption } from '../../options/trust.ts';
import { withAuthority } from './with-authority.ts';

interface Folder {
  readonly dir: string;
}

const exits = '0 done; 2 it cannot be done now.';
const example = (step: string) => [`isthmus ca rotate ${step} --dir /var/lib/isthmus-ca`];

/** `isthmus ca rotate`: another root, without an outage. */
export function rotateCommand(): Command {
  return new Command('rotate')
    .summary('replace the root')
    .description(
      'Replace the root in steps: start makes a new one, which all trust before it signs anything; it signs once everybody with a certificate has said to trust it; finish removes the old one, when nobody has a certificate of it. The authority must be serving.',
    )
    .addCommand(
      stepCommand('start', 'make the new root', (dir) =>
        withAuthority(dir, (ca) => ca.startRotation(systemClock.wall())),
      ),
    )
    .addCommand(stepCommand('status', 'say how far it is, and who is waited for', async () => {}))
    .addCommand(
      stepCommand('finish', 'remove the old root, or refuse and say who needs it', (dir) =>
        withAuthority(dir, (ca) => ca.finishRotation(systemClock.wall())),
      ),
    )
    .addHelpText('after', helpEnd({ exits, examples: example('start') }));
}

/** A step: does it, then prints how far the rotation is. */
function stepCommand(name: string, words: string, work: (dir: string) => Promise<void>): Command {
  return new Command(name)
    .summary(words)
    .description(`Replacing the root: ${words}.`)
    .addOption(caFolderOption())
    .addHelpText('after', helpEnd({ exits, examples: example(name) }))
    .action(async ({ dir }: Folder) => {
      await work(dir);
      const { rotationText } = await import('../../trust/ca-text.ts');
      process.stdout.write(await withAuthority(dir, (ca) => rotationText(ca.status(systemClock.wall()))));
    });
}
