import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { verdictOf } from '../../../src/drill/judge/verdict.ts';
import { scenarioRows } from '../../../src/drill/scenario/bounds.ts';
import { judgeControl } from '../../../src/drill/scenario/control.ts';
import type { Sickness } from '../../../src/drill/scenario/measurement.ts';
import { createGray, makeGray } from '../../../src/drill/upstream/gray.ts';
import { startUpstream } from '../../../src/drill/upstream/upstream.ts';
import { goodMeasurement } from '../fixture.ts';
import { builtIn } from '../scenario/scenario-fixture.ts';

const { bounds, control } = builtIn('gray').spec;

/** Looked at each second: out from `out` to `back`, in seconds of a phase of 30 s. */
function sickness(phase: string, sick: string, out: number, back: number): Sickness {
  const looks = Array.from({ length: 30 }, (_, i) => ({
    at: 1000 * i,
    ejected: i >= out && i < back ? [sick] : [],
  }));
  return { phase, what: 'fails 5% of its requests', sick: [sick], from: 0, to: 30_000, looks };
}

const errs = sickness('errs', 'sh-a/checkout-1', 5, 24);
const hangs = sickness('hangs', 'sh-a/checkout-2', 5, 30);
const everywhere = sickness('everywhere', '', 30, 30);
const of = (...sicknesses: Sickness[]) => ({ ...goodMeasurement(), sicknesses });
const rowsOf = (...sicknesses: Sickness[]) =>
  scenarioRows(of(...sicknesses), { grayOut: bounds.grayOut }, []);
const own = /^(found|out|p99|none|at-most)/;
const missed = (...sicknesses: Sickness[]) =>
  rowsOf(...sicknesses)
    .filter(({ id, ok }) => own.test(id) && !ok)
    .map(({ id }) => id);

t.test('each row fails for its own reason', async (t) => {
  // The fixture's world has an outage in the middle of this, whose requests are slow.
  const slow = ['p99-errs', 'p99-hangs'];
  const rows = missed(errs, hangs, everywhere).filter((id) => !slow.includes(id));
  t.strictSame(rows, []);
  t.match(missed(sickness('errs', 'sh-a/checkout-1', 21, 30)), ['found-errs']);
  t.match(missed(sickness('errs', 'sh-a/checkout-1', 30, 30)), ['found-errs', 'out-errs']);
  t.ok(missed(sickness('hangs', 'sh-a/checkout-1', 5, 7)).includes('out-hangs'));
  t.strictSame(missed(sickness('everywhere', 'sh-a/checkout-3', 4, 5)), ['none-everywhere']);
  const two = { ...errs, looks: [{ at: 5000, ejected: ['sh-a/checkout-1', 'sh-a/checkout-2'] }] };
  t.ok(missed(two).includes('at-most-half'));
});

t.test('the negative control must fail because nobody was out, or nobody stayed out', async (t) => {
  const against = (...sicknesses: Sickness[]) =>
    control ? judgeControl(of(...sicknesses), verdictOf(rowsOf(...sicknesses)), control) : ['none is stated'];
  const faults = (...sicknesses: Sickness[]) =>
    against(...sicknesses).filter((text) => !/^before/.test(text));
  t.strictSame(faults(sickness('errs', 'a', 30, 30), sickness('hangs', 'b', 5, 6)), []);
  t.match(faults(errs, sickness('hangs', 'b', 5, 6)), [/is ejected:/, /in which it is ejected/]);
  t.match(faults(everywhere), [/found-errs: not measured/]);
});

t.test('shares are drawn by a seed', async (t) => {
  const gray = createGray(7);
  const count = (fate: string) => Array.from({ length: 2000 }, () => gray.next()).filter((f) => f === fate);
  t.equal(count('served').length, 2000);
  gray.set({ errs: 0.05, hangs: 0.1 });
  const [refused, hung] = [count('refused').length, count('hung').length];
  t.ok(refused > 60 && refused < 140, `${refused} refused`);
  t.ok(hung > 140 && hung < 260, `${hung} hung`);
  gray.set({});
  t.equal(count('served').length, 2000);
});

t.test('an instance becomes gray, and passes its checks', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'gray-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const [socketPath, logFile] = [join(dir, 'app.sock'), join(dir, 'log')];
  const server = await startUpstream({ instance: 'sh-a/one', idc: 'sh-a', socketPath, logFile });
  t.teardown(() => server.close());
  const ask = (path: string) =>
    new Promise<number>((resolve, reject) => {
      const sent = request({ socketPath, path, agent: false }, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      });
      sent.on('error', reject);
      sent.end();
    });
  t.equal(await ask('/'), 200);
  await makeGray(socketPath, { errs: 1 });
  t.equal(await ask('/'), 503);
  t.equal(await ask('/healthz'), 200);
  await makeGray(socketPath, {});
  t.equal(await ask('/'), 200);
  t.notMatch(readFileSync(logFile, 'utf8'), '/drill/gray', 'it is no request of the load');
  await t.rejects(makeGray(join(dir, 'nobody.sock'), {}), /did not become gray/);
});
