import t from 'tap';
import { decodeText } from '../../../src/base/files/encoding.ts';

const text = 'apiVersion: é\n';

/** UTF-32, which Node has no name for. */
function utf32(text: string, little: boolean): Uint8Array {
  const points = [...text];
  const bytes = new DataView(new ArrayBuffer(4 * points.length));
  for (const [index, point] of points.entries())
    bytes.setUint32(4 * index, point.codePointAt(0) ?? 0, little);
  return new Uint8Array(bytes.buffer);
}

t.test('UTF-8 is read, with and without its mark', async (t) => {
  t.strictSame(decodeText(Buffer.from(text)), { text });
  t.strictSame(decodeText(Buffer.from(`\ufeff${text}`)), { text });
  t.strictSame(decodeText(Buffer.alloc(0)), { text: '' });
});

t.test('another encoding is named', async (t) => {
  const swapped = (bytes: Buffer) => bytes.swap16();
  for (const mark of ['', '\ufeff']) {
    t.match(decodeText(Buffer.from(mark + text, 'utf16le')), { encoding: 'UTF-16 (little endian)' });
    t.match(decodeText(swapped(Buffer.from(mark + text, 'utf16le'))), { encoding: 'UTF-16 (big endian)' });
    t.match(decodeText(utf32(mark + text, true)), { encoding: 'UTF-32 (little endian)' });
    t.match(decodeText(utf32(mark + text, false)), { encoding: 'UTF-32 (big endian)' });
  }
  t.match(decodeText(Buffer.from(text, 'latin1')), { encoding: /^not UTF-8 \(Latin-1/ });
});
