import { Command, Option } from 'commander';
import { systemClock } from '../../../base/clock.ts';
import { type LogLevel, logLevels } from '../../../base/log.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { helpEnd } from '../../help-end.ts';
import { parseBindAddress } from '../../options/address.ts';
import { addInjectOptions, type InjectFlags, readInjectSettings } from '../../options/injection.ts';

interface Flags extends InjectFlags {
  readonly listen?: ListenAddress;
  readonly name: readonly string[];
  readonly secret: string;
  readonly mutating?: readonly string[];
  readonly validating?: readonly string[];
  readonly serviceAccount: string;
  readonly logLevel: LogLevel;
}

const add = (text: string, list: readonly string[] = []) => [...list, text];

/** `isthmus webhook`: admission of Pods and objects in a cluster. */
export function webhookCommand(): Command {
  const command = new Command('webhook')
    .summary('inject Pods and check objects as a cluster admits them')
    .description(
      'Serve the admission webhooks of a cluster by HTTPS, in a Pod: /mutate adds sidecars as isthmus inject does, /validate checks objects as isthmus validate does. The certificate is made and renewed by itself, in a Secret that all replicas share, and written as caBundle into the webhook configurations that are named.',
    )
    .option('--listen <host:port>', 'where it listens (default: 0.0.0.0:9443)', parseBindAddress)
    .requiredOption(
      '--name <name>',
      'DNS name or IP address at which the API server asks; repeat for more',
      add,
    )
    .option('--secret <name>', 'Secret that holds the certificate', 'isthmus-webhook-certificate')
    .option('--mutating <name>', 'MutatingWebhookConfiguration to write caBundle into; repeat for more', add)
    .option('--validating <name>', 'ValidatingWebhookConfiguration to do so; repeat for more', add)
    .option(
      '--service-account <dir>',
      'folder of token, ca.crt and namespace',
      '/var/run/secrets/kubernetes.io/serviceaccount',
    )
    .addOption(new Option('--log-level <level>', 'least level to log').choices(logLevels).default('info'));
  return addInjectOptions(command)
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 stopped by SIGTERM; 2 it could not start.',
        examples: [
          'isthmus webhook --idc sh-a --xds isthmus.isthmus-system.svc:15010 \\',
          '  --name isthmus-webhook.isthmus-system.svc --mutating isthmus-default',
        ],
      }),
    )
    .action(runWebhook);
}

async function runWebhook(flags: Flags): Promise<void> {
  const { inClusterAccess } = await import('../../../kube/config/in-cluster.ts');
  const { createKubeClient } = await import('../../../kube/kube-client.ts');
  const { startWebhook } = await import('../../../inject/webhook/webhook-server.ts');
  const { createLogger } = await import('../../process/log.ts');
  const { untilStopped } = await import('../../process/stop-signals.ts');
  const logger = createLogger(flags.logLevel);
  const settings = await readInjectSettings(flags);
  const asked = { by: '--service-account', instead: 'Run isthmus webhook in a Pod.' };
  const access = inClusterAccess(systemClock, process.env, flags.serviceAccount, asked);
  const api = createKubeClient(access, { clock: systemClock });
  const configurations = [
    ...(flags.mutating ?? []).map((name) => `mutatingwebhookconfigurations/${name}`),
    ...(flags.validating ?? []).map((name) => `validatingwebhookconfigurations/${name}`),
  ];
  const certificate = {
    ...{ secret: flags.secret, namespace: access.namespace },
    ...{ names: flags.name, configurations },
  };
  const webhook = await startWebhook(
    api,
    { listen: flags.listen ?? { address: '0.0.0.0', port: 9443 }, settings, certificate },
    { clock: systemClock, logger },
  );
  logger.info('the webhook listens', { port: webhook.address.port });
  await untilStopped();
  await webhook.close();
  api.close();
  await logger.close();
}
