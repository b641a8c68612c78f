import { CommanderError } from 'commander';
import t from 'tap';
import { bootstrapCommand } from '../../src/cli/commands/bootstrap.ts';

/** What is wrong with a command line, in words. */
async function fault(...args: string[]): Promise<string> {
  let words = '';
  const command = bootstrapCommand()
    .exitOverride()
    .configureOutput({ writeErr: (text) => (words += text) });
  try {
    await command.parseAsync(args, { from: 'user' });
  } catch (reason) {
    return reason instanceof CommanderError ? words : String((reason as Error).message);
  }
  return 'nothing';
}

const of = (role: string, ...more: string[]) => ['--role', role, '--idc', 'a', '--id', 'x', ...more];
const caller = (...more: string[]) => of('sidecar', '--outbound', ':15001', ...more);

t.test('errors name the flag', async (t) => {
  const wrong: [string[], RegExp][] = [
    [of('grpc', '--outbound', ':1'), /--outbound is for --role sidecar, not grpc/],
    [of('grpc', '--xds-mode', 'delta'), /^--xds-mode: gRPC clients know State of the World alone/],
    [of('grpc', '-o', 'yaml'), /^--output: gRPC clients read JSON alone/],
    [of('grpc', '--xds', '127.0.0.1:1,127.0.0.2:0'), /'127\.0\.0\.2:0' has port 0/],
    [of('grpc', '--max-heap', '1Gi'), /--max-heap is for an Envoy, which a gRPC client does not have/],
    [of('egress', '--ready-port', '15021'), /--ready-port needs --admin/],
    [of('grpc', '--ready-port', '15021'), /--ready-port/],
    [of('egress', '--ready-port', '70000'), /is not a port/],
    [of('egress', '--xds', 'a b:15010'), /is not an IP address/],
    [of('egress', '--xds', 'cp.example:0'), /is not an IP address|has port 0/],
    [of('grpc', '--tls', '/run/x', '--trust-domain', 'a.b'), /--tls is for an Envoy/],
    [of('egress', '--tls', '/run/x'), /--tls and --trust-domain go together/],
    [of('egress', '--tls', '/run/x', '--trust-domain', 'A_B'), /not a trust domain/],
    [
      ['--role', 'egress', '--idc', 'a', '--id', 'x/y', '--tls', '/run/x', '--trust-domain', 'a.b'],
      /is not an identity: write spiffe/,
    ],
    [of('egress', '--edge', ':1'), /--edge is for --role ingress/],
    [of('egress', '--zone', 'z1'), /--zone is for a sidecar or an ingress/],
    [of('ingress', '--zone', 'a/z1'), /^--zone: "a\/z1" is not a zone/],
    [of('sidecar', '--inbound', ':1'), /--inbound and --app go together/],
    [of('sidecar'), /without --outbound and --inbound does nothing: give/],
    [of('sidecar', '--namespace', 'n', '--depends-on', 'b.n'), /--depends-on needs --outbound/],
    [of('egress', '--access-log-headers', 'x-tenant'), /--access-log-headers needs --access-log/],
    [
      of('egress', '--access-log', '/dev/stdout', '--access-log-headers', 'x-tenant,a b'),
      /^--access-log-headers: "a b" is not the name of a header/,
    ],
    [of('egress', '--unknown-hosts', 'pass'), /--unknown-hosts is for --role sidecar/],
    [
      of('sidecar', '--unknown-hosts', 'pass', '--outbound', '0.0.0.0:15001'),
      /^--unknown-hosts: pass needs an outbound address on loopback/,
    ],
    [
      caller('--unknown-hosts', 'pass', '--admin', '10.0.0.1:15000'),
      /the admin interface at 10\.0\.0\.1 would be reachable/,
    ],
    [
      of('egress', '--sidecar-listen', ':15444', '--ingress-listen', ':15444'),
      /^--ingress-listen: is the address of --sidecar-listen too/,
    ],
    [of('sidecar', '--outbound', ':0'), /'--outbound <host:port>'.*port 0/],
    [caller('--xds', '0.0.0.0:15010'), /an address to listen on, not to connect to/],
    [caller('--depends-on', 'a..b'), /'a\.\.b' is not a host/],
    [caller('--depends-on', 'a.b:80'), /has a port: name the host, a\.b,/],
    [caller('--depends-on', ','), /names no host/],
    [caller('--admin', ':15001'), /^--admin: 127\.0\.0\.1:15001 is the address of --outbound too/],
    [
      of('sidecar', '--inbound', ':1', '--app', ':1'),
      /^--app: the sidecar itself listens there \(--inbound\)/,
    ],
  ];
  for (const [args, words] of wrong) t.match(await fault(...args), words, args.join(' '));
});
