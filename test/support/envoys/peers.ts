import { createServer } from 'node:http';
import { type ClientHttp2Session, connect, type SecureClientSessionOptions } from 'node:http2';
import type { Test } from 'tap';
import { systemClock } from '../../../src/base/clock.ts';
import { type TlsMode, tlsModes } from '../../../src/model/idc.ts';
import type { MeshObject } from '../../../src/model/object.ts';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import type { IssuedPair } from '../../../src/trust/ca/issue.ts';
import { readTrustFolder } from '../../../src/trust/trust-folder.ts';
import { get, until } from '../mesh.ts';
import { createTestTrust } from '../trust.ts';
import { startTwoIdcs, type TestGroup } from '../two-idcs.ts';

const group: TestGroup = { name: 'echo', idc: 'sh-b', protocol: 'HTTP' };
const idcs = ['sh-a', 'sh-b'] as const;

/** The host that the caller in sh-a asks for; its instance is in sh-b. */
export const crossedHost = 'echo.test';

/** The name of a proxy of an IDC. */
export const proxyUri = (idc: string, role: string, name: string) =>
  `spiffe://${idc}.example/idc/${idc}/${role}/${name}`;

type Roots = Readonly<Record<(typeof idcs)[number], readonly IssuedPair[]>>;

function stepTo(from: TlsMode, to: TlsMode): TlsMode {
  const at = tlsModes.indexOf(from);
  return tlsModes[at + Math.sign(tlsModes.indexOf(to) - at)] ?? to;
}

/** Two IDCs with an authority each; their gateways have certificates. */
export async function startPeers(t: Test, traffic = '{}') {
  const trust = createTestTrust();
  const [rootA, rootB] = [await trust.root('sh-a.example'), await trust.root('sh-b.example')];
  const roots = { 'sh-a': rootA, 'sh-b': rootB };
  const folders = new Map<string, string>();
  const folderOf = (id: string) => folders.get(id) ?? '';
  /** Gives a gateway a new certificate; `root`: by whom. */
  const issue = (idc: 'sh-a' | 'sh-b', role: 'ingress' | 'egress', root: IssuedPair = roots[idc]) =>
    trust.put(folderOf(`${idc}-${role}`), root, proxyUri(idc, role, `${idc}-${role}`));
  folders.set('caller', trust.folder('caller'));
  await trust.put(folderOf('caller'), rootA, proxyUri('sh-a', 'sidecar', 'caller'));
  for (const idc of idcs)
    for (const role of ['ingress', 'egress'] as const) {
      folders.set(`${idc}-${role}`, trust.folder(`${idc}-${role}`));
      await issue(idc, role);
    }
  const world = await startTwoIdcs([group], traffic, (id) => {
    const cwd = folders.get(id);
    return cwd === undefined ? {} : { cwd };
  });
  const app = createServer((_, response) => response.end('echo'));
  await new Promise<void>((resolve) => app.listen(world.socket(group), resolve));
  t.teardown(async () => {
    app.closeAllConnections();
    app.close();
    await world.close();
    trust.close();
  });
  const adminOf = (id: string) => {
    const { admin } = world.gateways.get(id) ?? {};
    if (admin === undefined) throw new Error(`no ${id}`);
    return admin;
  };
  let now: { readonly mode: TlsMode; readonly egress: TlsMode } = { mode: 'off', egress: 'off' };
  /** Writes all Idcs anew. */
  function write(known: Roots): void {
    world.edit((yaml) =>
      idcs.reduce((text, idc) => {
        const plain = text.replace(
          new RegExp(`(metadata: \\{name: ${idc}\\}\nspec:)[^]*?(\n  ingress:)`),
          '$1$2',
        );
        const pem = known[idc].map(({ certificate }) => certificate.trimEnd()).join('\n');
        return plain.replace(
          `metadata: {name: ${idc}}\nspec:`,
          `metadata: {name: ${idc}}\nspec:\n  trustDomain: ${idc}.example\n  egressTls: ${now.egress}\n  peerTls:\n    mode: ${now.mode}\n    roots: |\n      ${pem.replaceAll('\n', '\n      ')}`,
        );
      }, yaml),
    );
  }
  return {
    ...{ world, trust, roots, folderOf, issue },
    /** Changes how both IDCs are entered, step by step, and the roots that they are known by. */
    async setMode(
      mode: TlsMode,
      known: Roots = { 'sh-a': [rootA], 'sh-b': [rootB] },
      egress: TlsMode = 'off',
    ) {
      while (now.mode !== mode || now.egress !== egress) {
        now = { mode: stepTo(now.mode, mode), egress: stepTo(now.egress, egress) };
        write(known);
        const isInForce = ({ kind, meta, spec }: MeshObject) =>
          kind !== 'Idc' ||
          !idcs.some((name) => name === meta.name) ||
          (spec.peerTls?.mode === now.mode && (spec.egressTls ?? 'off') === now.egress);
        await until('it is in force', () => world.objects().every((all) => all.every(isInForce)));
      }
      write(known);
    },
    /** The same with nothing between. */
    skipTo(mode: TlsMode) {
      now = { ...now, mode };
      write({ 'sh-a': [rootA], 'sh-b': [rootB] });
    },
    /** The sum of a gateway's statistics whose names match. */
    async stat(id: string, name: string) {
      const { body } = await get(adminOf(id), `/stats?filter=${name}`);
      return [...body.matchAll(/: (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
    },
    /** Whether a gateway has loaded the certificate that is in force in its folder. */
    async hasCurrent(id: string) {
      const serial = readTrustFolder(folderOf(id), systemClock.wall())?.own.x509.serialNumber.toLowerCase();
      return (await get(adminOf(id), '/certs')).body.includes(serial ?? '-');
    },
  };
}

/** What a gateway answers at a listener; a connection that is refused rejects. */
export async function askOver(
  at: ListenAddress,
  trail: string | undefined,
  pair?: IssuedPair,
  more: SecureClientSessionOptions = {},
): Promise<number> {
  const url = `${pair === undefined && more.ca === undefined ? 'http' : 'https'}://${at.address}:${at.port}`;
  const tls = { rejectUnauthorized: false, ...(pair && { cert: pair.certificate, key: pair.key }), ...more };
  const session: ClientHttp2Session = connect(url, tls);
  try {
    return await new Promise<number>((resolve, reject) => {
      session.once('error', reject);
      session.once('close', () => reject(new Error('closed')));
      const headers = { ':authority': crossedHost, ':path': '/', ...(trail && { 'x-isthmus-trail': trail }) };
      const stream = session.request(headers);
      stream.once('response', ({ ':status': status }) => resolve(Number(status)));
      stream.once('error', reject);
      stream.resume();
    });
  } finally {
    session.destroy();
  }
}

/** Whether nothing was answered. */
export const isRefused = (asked: Promise<number>) =>
  asked.then(
    () => false,
    () => true,
  );

/** Requests of the caller, one after the other, until `end`. */
export function crossAgainAndAgain(world: Awaited<ReturnType<typeof startPeers>>['world']) {
  const failures: string[] = [];
  let [sent, isOver] = [0, false];
  const running = (async () => {
    while (!isOver) {
      sent += 1;
      const answer = await get(world.outbound, '/', { host: crossedHost }).catch((reason: Error) => ({
        ...{ status: 0, body: reason.message },
      }));
      if (answer.status !== 200) failures.push(`${answer.status} ${answer.body}`);
    }
  })();
  return {
    failures,
    sent: () => sent,
    async end() {
      isOver = true;
      await running;
    },
  };
}
