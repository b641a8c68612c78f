import { Command } from 'commander';
import { exitCode } from '../../../base/exit.ts';
import type { ExplainAnswer } from '../../../client/explain-client.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { explainText } from '../../explain/explain-text.ts';
import { type FollowedWay, followWay } from '../../explain/follow-way.ts';
import { helpEnd } from '../../help-end.ts';
import { adminOption } from '../../options/admin.ts';
import { type OutputFormat, outputOption } from '../../options/output.ts';
import { type Look, showLook, watchOption } from '../../show/show.ts';

interface Flags {
  readonly admin: readonly ListenAddress[];
  readonly from: string;
  readonly host: string;
  readonly trail?: string;
  readonly path: string;
  readonly method: string;
  readonly whyNot?: string;
  readonly if?: readonly string[];
  readonly watch?: boolean;
  readonly output: OutputFormat;
}

/** `isthmus explain`: which way a request goes, and why. */
export function explainCommand(): Command {
  return new Command('explain')
    .summary('show which way a request goes now, and why')
    .description(
      'Show the way of a request hop by hop: the objects, priorities and health that decide, and what loop prevention forbids. The control plane plans it by the code that plans what it pushes, with the health that the proxies on the way report. Where the request enters another IDC, a control plane of that IDC is asked, at the addresses in spec.controlPlanes of its Idc.',
    )
    .requiredOption(
      '--from <idc/node>',
      'where the request begins: a sidecar, or an ingress gateway for clients',
    )
    .requiredOption('--host <host>', 'the host that it is for, such as checkout.shop, or with its port')
    .option(
      '--trail <idcs>',
      'IDCs that it has been in, oldest first, by comma: it comes from another IDC, to an ingress gateway',
    )
    .option('--path <path>', 'its path', '/')
    .option('--method <method>', 'its method, which decides what is tried again', 'GET')
    .option('--why-not <idc>', 'also say why this IDC does not serve it')
    .option(
      '--if <name=state...>',
      'what if these were down, up or evacuated, such as sh-b=down: an IDC, sh-b/ingress-1, sh-b/egress-1, the instances of the host in an IDC (checkout.shop@sh-b), a WorkloadEntry or an address of an instance',
    )
    .addOption(adminOption())
    .addOption(watchOption())
    .addOption(outputOption('output format; wide: with where each hop was decided and read'))
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 the IDC where it begins serves it; 1 another IDC does, or a proxy on the way refuses what it was sent for it; 2 it cannot be told: no control plane answers, a name is unknown, or the proxy where it begins cannot be read; 3 nobody serves it.',
        examples: [
          'isthmus explain --from sh-a/caller --host checkout.shop',
          'isthmus explain --from sh-a/caller --host checkout.shop --why-not sh-b',
          'isthmus explain --from sh-a/caller --host checkout.shop --if sh-a=down',
        ],
      }),
    )
    .action(explain);
}

function explain({ admin, host, ...flags }: Flags): Promise<void> {
  const { from, trail, path, method, whyNot } = flags;
  const query = {
    ...{ from, path, method },
    ...(trail === undefined ? {} : { trail }),
    ...(whyNot === undefined ? {} : { whyNot }),
    ...(flags.if === undefined ? {} : { if: flags.if.join(',') }),
  };
  return showLook(flags, async (): Promise<Look> => {
    const way = await followWay(admin, host, query);
    return { data: way, text: (width) => explainText(way, width), code: codeOf(way) };
  });
}

/**
 * Without a reading of the first proxy it cannot be told who serves. All is not well where a proxy on the way
 * refuses what it was sent for it.
 */
function codeOf({ served, refused, hops: [first] }: FollowedWay): number {
  const isGuess = served !== 'nobody' && first?.health === 'registry';
  if (isGuess) return exitCode.unusable;
  return served === 'here' && refused.length > 0 ? exitCode.failed : codes[served];
}

const codes: Readonly<Record<ExplainAnswer['served'], number>> = {
  here: exitCode.ok,
  away: exitCode.failed,
  nobody: exitCode.unserved,
};
