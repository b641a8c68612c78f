import t from 'tap';
import { cds, gone, rds, story } from './story.ts';

t.test(
  'clusters that went wait for the routes of a reconnecting client, however slow the server is',
  async (t) => {
    const s = story();
    await s.apply([cds('a'), cds('b'), rds('r', 'to b')]);
    const had = { cds: s.connect('delta').versions('CDS'), rds: s.connect('delta').versions('RDS') };
    await s.apply([gone('CDS', 'b'), rds('r', 'to a')]);
    const envoy = s.connect('delta', 'k', 'n', true);
    const work = () => {
      while (envoy.step());
    };
    envoy.send('CDS', { resource_names_subscribe: ['*'], initial_resource_versions: had.cds });
    // Its turn, and that of the request for routes, comes only after many others.
    s.pass(3_000);
    work();
    t.same(envoy.got(), ['CDS'], 'not -b: the routes name it');
    envoy.send('RDS', { resource_names_subscribe: ['r'], initial_resource_versions: had.rds });
    work();
    envoy.ack('CDS');
    work();
    t.same(envoy.got(), ['RDS +r']);
    envoy.ack('RDS');
    s.pass(1_000);
    t.same(envoy.got(), ['CDS -b']);
  },
);
