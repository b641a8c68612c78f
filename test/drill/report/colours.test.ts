import t from 'tap';
import { palettes } from '../../../src/drill/report/page/report-assets.ts';

type Colour = keyof (typeof palettes)['light'];

/** Texts, and the grounds that they stand on. */
const texts: Readonly<Partial<Record<Colour, readonly Colour[]>>> = {
  ink: ['bg', 'card', 'shade', 'outage', 'recovery'],
  dim: ['bg', 'card', 'shade', 'outage', 'recovery'],
  bad: ['bg', 'card', 'shade', 'outage', 'recovery'],
  good: ['bg'],
  warn: ['bg'],
  link: ['bg', 'card'],
  onstate: ['good', 'bad', 'warn'],
};

/** Marks that mean something, and the grounds that they stand on. */
const onPlots = ['card', 'shade', 'outage', 'recovery'] as const;
const marks: readonly Colour[] = [
  ...(['served', 'bad', 'b', 'max', 'p50', 'p99', 'control', 'ink', 'dim'] as const),
  ...(['a', 'c', 'd', 'e', 'f', 'good', 'warn'] as const),
];

/** The contrast of two colours by WCAG 2: 1 to 21. */
function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5]
    .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

t.test('contrast is computed as WCAG has it', async (t) => {
  t.equal(contrast('#000000', '#ffffff'), 21);
  t.equal(contrast('#777777', '#ffffff').toFixed(2), '4.48', 'the grey that is just too light for a text');
});

for (const [scheme, palette] of Object.entries(palettes)) {
  t.test(`${scheme}: texts have a contrast of 4.5 : 1, marks of 3 : 1`, async (t) => {
    for (const [text, grounds] of Object.entries(texts))
      for (const ground of grounds) {
        const ratio = contrast(palette[text as Colour], palette[ground]);
        t.ok(ratio >= 4.5, `${text} on ${ground}: ${ratio.toFixed(2)}`);
      }
    for (const mark of marks)
      for (const ground of onPlots) {
        const ratio = contrast(palette[mark], palette[ground]);
        t.ok(ratio >= 3, `${mark} on ${ground}: ${ratio.toFixed(2)}`);
      }
  });
}
