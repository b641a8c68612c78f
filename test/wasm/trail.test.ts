import t from 'tap';
import { refusalGrpcStatus, refusalText, trailHeader, visitedHeader } from '../../src/model/trail.ts';
import { requestHeaders } from '../../src/trail/check-filter.ts';
import { hostedFilter, linesOf } from '../support/wasm-host.ts';
import { casesByFilter, trailCases } from './table.ts';

const cases = trailCases();
let run = 0;
for (const [name, own] of casesByFilter(cases)) {
  t.test(`${name}, compiled`, async (t) => {
    const policy = own[0]?.policy as (typeof cases)[number]['policy'];
    const host = await hostedFilter(policy);
    for (const { name, lines, pass, refuse, counter } of own) {
      run++;
      const answer = host.request(requestHeaders(lines));
      t.same(answer.counted, counter === undefined ? [] : [counter], `${name}: counts`);
      t.equal(answer.passed, pass !== undefined, `${name}: passes or not`);
      if (pass !== undefined) {
        t.same(linesOf(answer.headers, trailHeader), [pass.trail], `${name}: trail`);
        t.same(linesOf(answer.headers, visitedHeader), [pass.visited], `${name}: visited`);
        t.same(linesOf(answer.headers, 'x-isthmus'), ['kept'], `${name}: other headers`);
      } else {
        const outcome = refuse?.outcome as 'loop';
        const headers = [['x-isthmus-outcome', outcome]];
        const body = refusalText(policy, outcome);
        t.same(answer.local, { status: refuse?.status, grpcStatus: refusalGrpcStatus, headers, body }, name);
      }
    }
  });
}

t.test('every row was run', async (t) => {
  t.equal(run, cases.length);
});
