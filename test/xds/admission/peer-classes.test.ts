import t from 'tap';
import { ClassesOfPeers, peerClassesMax } from '../../../src/xds/admission/peer-classes.ts';

const stream = (nodeClass: string, address = 'a:1') => ({ nodeClass, peer: { address } });

t.test('a connection has nodes of so many classes, of each as many as it likes', async (t) => {
  const classes = new ClassesOfPeers();
  for (let i = 0; i < peerClassesMax; i++) classes.join(stream(`class-${i}`));
  for (let i = 0; i < 100; i++) classes.join(stream('class-0'));
  const over = { code: 'exhausted', message: /more than 16 classes/ };
  t.throws(() => classes.join(stream('other')), over);
  classes.join(stream('other', 'a:2'));
  classes.leave(stream('class-0'));
  t.throws(() => classes.join(stream('other')), over, 'other streams are of it');
  classes.leave(stream('class-1'));
  classes.join(stream('other'));
  t.throws(() => classes.join(stream('class-1')), over);
});
