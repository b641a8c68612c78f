import t from 'tap';
import { endpointsText, parseDump, scopeText } from '../../../src/drill/drills/questions/config-dump.ts';
import { type AnsweredQuestion, jsonOf, nearShares } from '../../../src/drill/drills/questions/question.ts';
import {
  judgeQuestions,
  judgeQuestionsControl,
  type QuestionFacts,
  questionTable,
} from '../../../src/drill/drills/questions/verdict.ts';
import { healthText, hostsIn, usableText } from '../../../src/drill/drills/questions/witnesses.ts';
import { verdictOf } from '../../../src/drill/judge/verdict.ts';
import { tableLines } from '../../../src/drill/report/text.ts';
import { goodMeasurement } from '../fixture.ts';

const answered = (id: string, change: Partial<AnsweredQuestion> = {}): AnsweredQuestion => ({
  ...{ id, when: 'half dead', question: `Is ${id} so?`, command: `isthmus ${id}`, witness: '`/clusters`' },
  ...{ reads: true, said: 'away', envoys: 'away', agreed: true, tookMs: 1_200, times: 1, ...change },
});
const good: QuestionFacts = {
  asked: ['who', 'config'],
  answers: [answered('who'), answered('config', { reads: false })],
};
const of = (change: Partial<QuestionFacts>) => ({ ...goodMeasurement(), ...good, ...change });
const missed = (change: Partial<QuestionFacts>) =>
  judgeQuestions(of(change)).flatMap(({ id, ok }) => (ok || !id.startsWith('answer-') ? [] : [id]));
const differs = { said: 'here', agreed: false };

t.test('each question is a row, which an answer that differs or is lacking fails', async (t) => {
  t.strictSame(missed({}), []);
  t.strictSame(missed({ answers: [answered('who', differs), answered('config')] }), ['answer-who']);
  t.strictSame(missed({ answers: [answered('who')] }), ['answer-config'], 'not asked');
  const [row] = judgeQuestions(of({ answers: [answered('who', differs)] }));
  t.equal(row?.measured, 'isthmus who says: here. Envoys say: away');
});

t.test('the control must miss what needs proxies to be read, and nothing else', async (t) => {
  const against = (answers: readonly AnsweredQuestion[]) =>
    judgeQuestionsControl(of({ answers }), verdictOf(judgeQuestions(of({ answers }))));
  const config = answered('config', { reads: false });
  t.strictSame(against([answered('who', differs), config]), []);
  const agreed = against([answered('who'), config]);
  t.ok(agreed.includes('who agreed although no proxy could be read'));
  t.match(against([answered('who', differs), { ...config, ...differs }]), [/^config did not agree/]);
  t.match(against([config]), [/nothing was asked/]);
});

t.test('the table has question, command and both sides, on the console a block for each row', async (t) => {
  const table = questionTable({ answers: [answered('who'), answered('config', { ...differs, times: 3 })] });
  t.strictSame(
    table.rows.map(({ ok }) => ok),
    [true, false],
  );
  t.strictSame(tableLines(table).slice(3, 8), [
    'ok      When        half dead',
    '        Question    Is who so?',
    '        Command     isthmus who',
    '        It said     away (after 1.2 s)',
    '        Envoys say  away (`/clusters`)',
  ]);
  t.equal(tableLines(table)[9], 'MISSED  When        half dead');
  t.equal(tableLines(table)[12], '        It said     here (after 1.2 s, asked 3 times)');
});

t.test('shares agree within points; what is no share never does', async (t) => {
  const near = nearShares(10);
  t.ok(near('50 % leave', '41.5 % of 200 left'));
  t.notOk(near('50 % leave', '39.5 % of 200 left'));
  t.notOk(near('NaN % leave', '50 % of 200 left'));
  t.notOk(near('50 % leave', 'nobody'));
});

t.test('a command without JSON says what it wrote instead', async (t) => {
  t.throws(
    () => jsonOf({ code: 2, stdout: '', stderr: 'isthmus: no answer\n' }),
    /exit 2, no JSON: isthmus: no answer/,
  );
  t.strictSame(jsonOf({ code: 1, stdout: '[1]', stderr: '' }), [1]);
});

const clusters = `instances/a.shop:80::observability_name::instances/a.shop:80
instances/a.shop:80::10.0.0.1:80::cx_active::0
instances/a.shop:80::10.0.0.1:80::health_flags::healthy
instances/a.shop:80::10.0.0.2:80::health_flags::/failed_active_hc/active_hc_timeout
instances/a.shop:80::10.0.0.3:80::health_flags::/failed_active_hc/failed_outlier_check
instances/b.shop:80::10.0.0.4:80::health_flags::healthy
`;

t.test('hosts as the text of /clusters has them', async (t) => {
  const hosts = hostsIn(clusters, 'instances/a.shop:80', (at) => `sh-a/${at.slice(7, 8)}`);
  t.equal(
    healthText([hosts]),
    'sh-a/1 healthy, sh-a/2 unhealthy (check-timeout), sh-a/3 unhealthy (check-failed, ejected)',
  );
  t.equal(usableText([hosts]), 'sh-a/1');
  const other = hosts.map((host) => ({ ...host, flags: ['healthy'], isUsable: true }));
  t.match(healthText([hosts, other]), /sh-a\/2 mixed \(check-timeout\)/);
  t.equal(healthText([[]]), 'none');
});

const scope = (name: string, key: string) => ({
  ...{ name, route_configuration_name: `outbound/${name}` },
  key: { fragments: [{ string_key: key }, { string_key: key }] },
});
const dump = {
  configs: [
    {
      dynamic_listeners: [
        { name: 'outbound', active_state: { version_info: 'aa' } },
        { error_state: { failed_configuration: { name: 'tcp/x' }, details: 'cannot bind' } },
      ],
    },
    { dynamic_active_clusters: [{ version_info: 'bb', cluster: { name: 'egress' } }] },
    { dynamic_route_configs: [{ version_info: 'cc', route_config: { name: 'outbound' } }] },
    {
      dynamic_scoped_route_configs: [
        { version_info: 'dd', scoped_route_configs: [scope('b', 'b.shop'), scope('*', '*')] },
      ],
    },
    {
      dynamic_endpoint_configs: [
        {
          endpoint_config: {
            cluster_name: 'egress',
            endpoints: [{ address: { socket_address: { address: '10.0.0.9', port_value: 81 } } }],
          },
        },
      ],
    },
  ],
};

t.test('resources as /config_dump has them; of endpoints the addresses', async (t) => {
  t.strictSame(parseDump(JSON.stringify(dump)), [
    { type: 'LDS', name: 'outbound', version: 'aa' },
    { type: 'LDS', name: 'tcp/x', error: 'cannot bind' },
    { type: 'CDS', name: 'egress', version: 'bb' },
    { type: 'RDS', name: 'outbound', version: 'cc' },
    { type: 'SRDS', name: 'b', version: '[b.shop b.shop to outbound/b]' },
    { type: 'SRDS', name: '*', version: '[* * to outbound/*]' },
    { type: 'EDS', name: 'egress', version: '[10.0.0.9:81]' },
  ]);
  const spelt = { routeConfigurationName: 'x', key: { fragments: [{ stringKey: 'a.shop' }] } };
  t.equal(scopeText(spelt), '[a.shop to x]');
  t.equal(endpointsText({ socketAddress: { address: '10.0.0.9', portValue: 81 } }), '[10.0.0.9:81]');
});
