import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/random.ts';
import { freeAddress, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';
import { token } from '../support/planes/registering.ts';

// `make test-crash` kills it at 100 moments.
const moments = Number(process.env.CRASH_MOMENTS ?? 8);
const seed = Number(process.env.CRASH_SEED ?? systemClock.wall() % 1_000_000);
const random = seededRandom(seed);
const perSecond = 200;

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'isthmus-crash-'));
t.teardown(() => rmSync(dir, { recursive: true, force: true }));
writeFileSync(join(dir, 'idc.yaml'), idcYaml);
writeFileSync(join(dir, '.token'), token);
const [xds, admin] = [await freeAddress(), await freeAddress()];
const { NODE_OPTIONS: _, ...env } = process.env;
// The event loop must outlive the waits between requests.
const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => clearInterval(keepAlive));

function serve(): ChildProcess {
  const flags = ['--idc', 'sh-a', '--config', dir, '--registrations', join(dir, 'r.db')];
  flags.push('--filters', join(dir, '.filters'));
  const addresses = ['--xds', `127.0.0.1:${xds.port}`, '--admin', `127.0.0.1:${admin.port}`];
  const args = [main, 'serve', ...flags, ...addresses, '--admin-token-file', join(dir, '.token')];
  return spawn(process.execPath, [...args, '--log-level', 'error'], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** One request; undefined when the connection broke: then nobody knows. */
function call(
  method: string,
  path: string,
  body?: object,
): Promise<{ status: number; text: string } | undefined> {
  return new Promise((resolve) => {
    const sent = request(
      {
        ...{ agent, host: '127.0.0.1', port: admin.port, method, path: `/v1/registrations${path}` },
        headers: { authorization: `Bearer ${token}` },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () =>
          resolve(response.complete ? { status: response.statusCode ?? 0, text } : undefined),
        );
        response.on('error', () => resolve(undefined));
      },
    );
    sent.on('error', () => resolve(undefined));
    sent.end(body && JSON.stringify(body));
  });
}

/**
 * What was acknowledged, by name: whether it is to be there. Names whose last request broke are in neither.
 */
const there = new Set<string>();
const gone = new Set<string>();
let names = 0;

/** Registers something new, or deregisters something that is there, as it comes. */
async function act(): Promise<boolean> {
  const list = [...there];
  if (list.length > 20 && random() < 0.5) {
    const name = list[Math.floor(random() * list.length)] as string;
    there.delete(name);
    const answer = await call('DELETE', `/shop/${name}`);
    if (answer?.status === 200 || answer?.status === 202) gone.add(name);
    return answer !== undefined;
  }
  names += 1;
  const name = `w-${names}`;
  const answer = await call('PUT', `/shop/${name}`, {
    ...{ address: '10.0.0.1', ports: { http: 80 }, labels: { app: 'x' }, ttl: '1h' },
  });
  if (answer?.status === 201) there.add(name);
  return answer !== undefined;
}

t.test(
  `killed at ${moments} moments (CRASH_SEED=${seed})`,
  { timeout: 60_000 + 30_000 * moments },
  async (t) => {
    let child = serve();
    t.teardown(() => child.kill('SIGKILL'));
    const isUp = async () => (await call('GET', ''))?.status === 200;
    await until('it answers', isUp);
    let acknowledged = 0;
    for (let moment = 1; moment <= moments; moment += 1) {
      const killAt = systemClock.now() + 100 + random() * 1_000;
      const asked: Promise<boolean>[] = [];
      const ended = new Promise((resolve) => child.once('exit', resolve));
      for (let due = systemClock.now(); due < killAt; due += 1_000 / perSecond) {
        await sleep(systemClock, Math.max(0, due - systemClock.now()));
        asked.push(act());
      }
      child.kill('SIGKILL');
      const answers = await Promise.all(asked);
      await ended;
      acknowledged += answers.filter(Boolean).length;
      child = serve();
      await until('it answers again', isUp);
      const items: { name: string; state: string }[] = JSON.parse(
        (await call('GET', ''))?.text ?? '{}',
      ).items;
      const ready = new Set(items.filter(({ state }) => state === 'ready').map(({ name }) => name));
      const lost = [...there].filter((name) => !ready.has(name));
      const back = [...gone].filter((name) => ready.has(name));
      t.strictSame({ lost, back }, { lost: [], back: [] }, `moment ${moment}: ${answers.length} asked`);
      // What nobody knows of is settled now.
      for (const name of ready) there.add(name);
    }
    t.comment(`${acknowledged} acknowledged; ${there.size} there, ${gone.size} gone`);
    t.ok(acknowledged > 10 * moments);
    t.ok(gone.size > 0);
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('exit', resolve));
  },
);
