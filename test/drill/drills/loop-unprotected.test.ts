import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runDrill } from '../../../src/drill/drill.ts';

t.test(
  'with loop prevention off requests run in circles, and the drill says so',
  { timeout: 170_000 },
  async (t) => {
    const reportDir = join(t.testdir(), 'report');
    const said: string[] = [];
    const code = await runDrill({
      name: 'loop',
      unprotected: true,
      expectFail: true,
      reportDir,
      phases: { steady: 2, 'nobody left': 3, recovery: 4, 'steady again': 1 },
      say: (line) => said.push(line),
    });
    t.equal(code, 0, 'expected to fail, and failed for the right reason');
    if (code !== 0) t.comment(said.join('\n'));
    t.match(said.join('\n'), /^MISSED +Requests that visited an IDC twice/m);
    const report = JSON.parse(readFileSync(join(reportDir, 'report.json'), 'utf8'));
    t.match(report, { passed: false, drill: 'loop', expectedToFail: { forTheRightReason: true } });
    t.ok(report.circles.most > 2, `a trail of ${report.circles.most} crossings`);
  },
);
