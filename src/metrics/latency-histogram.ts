import type { Registry } from 'prom-client';

/** Seconds; from a push on loopback to one that waits for a slow proxy. */
const latencyBuckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];

/** One series of a histogram. */
export interface Series {
  record(ms: number): void;
}

interface HistogramOptions {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Default 256. */
  readonly seriesMax?: number;
}

/** A histogram of times, by labels. */
export interface LatencyHistogram {
  /** The series of these label values; keep it, as the lookup is slow. */
  series(...values: readonly string[]): Series;
}

const limitsMs = latencyBuckets.map((seconds) => seconds * 1000);

class CountedSeries implements Series {
  readonly values: readonly string[];
  readonly counts = new Float64Array(limitsMs.length + 1);
  /** Milliseconds. */
  sum = 0;

  constructor(values: readonly string[]) {
    this.values = values;
  }

  record(ms: number): void {
    let bucket = 0;
    while (bucket < limitsMs.length && ms > (limitsMs[bucket] as number)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.sum += ms;
  }
}

/**
 * A Prometheus histogram whose `record` takes some tens of nanoseconds, for each ACK of each proxy;
 * prom-client's own looks its labels up each time, which takes a microsecond. Recorded in milliseconds,
 * exported in seconds. At most `seriesMax` series; further ones count as `other` in every label.
 */
export function createLatencyHistogram(registry: Registry, options: HistogramOptions): LatencyHistogram {
  return new LabelledHistogram(registry, options);
}

class LabelledHistogram implements LatencyHistogram {
  readonly #name: string;
  readonly #help: string;
  readonly #labels: readonly string[];
  readonly #seriesMax: number;
  readonly #all = new Map<string, CountedSeries>();
  readonly #get = async () => ({
    name: this.#name,
    help: this.#help,
    type: 'histogram' as const,
    aggregator: 'sum' as const,
    values: [...this.#all.values()].flatMap(({ values, counts, sum }) => {
      const own = Object.fromEntries(this.#labels.map((label, index) => [label, values[index] ?? '']));
      let total = 0;
      const buckets = latencyBuckets.map((le, index) => {
        total += counts[index] as number;
        return { metricName: `${this.#name}_bucket`, labels: { ...own, le }, value: total };
      });
      total += counts[limitsMs.length] as number;
      return [
        ...buckets,
        { metricName: `${this.#name}_bucket`, labels: { ...own, le: '+Inf' }, value: total },
        { metricName: `${this.#name}_sum`, labels: own, value: sum / 1000 },
        { metricName: `${this.#name}_count`, labels: own, value: total },
      ];
    }),
  });

  constructor(registry: Registry, options: HistogramOptions) {
    const { name, help, labels, seriesMax = 256 } = options;
    this.#name = name;
    this.#help = help;
    this.#labels = labels;
    this.#seriesMax = seriesMax;
    // prom-client needs a `name` and `get`; its type allows only its own classes.
    registry.registerMetric({ name, get: this.#get } as unknown as Parameters<Registry['registerMetric']>[0]);
  }

  series(...values: readonly string[]): Series {
    const key = values.join('\0');
    const known = this.#all.get(key);
    if (known !== undefined) return known;
    if (this.#all.size >= this.#seriesMax && values.some((value) => value !== 'other'))
      return this.series(...values.map(() => 'other'));
    const made = new CountedSeries(values);
    this.#all.set(key, made);
    return made;
  }
}
