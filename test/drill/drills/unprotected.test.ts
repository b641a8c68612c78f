import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runDrill } from '../../../src/drill/drill.ts';

t.test(
  'without the way to other IDCs the drill fails, and says which bound',
  { timeout: 110_000 },
  async (t) => {
    const reportDir = join(t.testdir(), 'report');
    const said: string[] = [];
    const options = {
      name: 'outage',
      unprotected: true,
      reportDir,
      rates: { caller: 60, edge: 30 },
      phases: { steady: 2, outage: 3, recovery: 3, 'steady again': 2 },
      say: (line: string) => said.push(line),
    } as const;
    const code = await runDrill({ ...options, expectFail: true });
    t.equal(code, 0, 'expected to fail, and failed for the right reason');
    if (code !== 0) t.comment(said.join('\n'));
    t.match(said.join('\n'), /^MISSED +Requests that succeed/m);
    t.match(said.join('\n'), /^FAILED: \d+ of \d+ bounds missed$/m);

    const report = JSON.parse(readFileSync(join(reportDir, 'report.json'), 'utf8'));
    t.match(report, { passed: false, crossing: false, expectedToFail: { forTheRightReason: true } });
    const outage = report.figures.find(
      (f: { phase: string; stream: string }) => f.phase === 'outage' && f.stream === '',
    );
    t.ok(
      outage.failed > 0.9 * outage.requests,
      `${outage.failed} of ${outage.requests} failed in the outage`,
    );
    const steady = report.figures.find(
      (f: { phase: string; stream: string }) => f.phase === 'steady' && f.stream === '',
    );
    t.equal(steady.shares['sh-a'], 1, 'before the outage sh-a served all');
  },
);
