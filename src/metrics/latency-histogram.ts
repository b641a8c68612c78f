import type { Registry } from 'prom-client';

/** Seconds; from a push on loopback to one that waits for a slow proxy. */
export const latencyBuckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];

/** One series of a histogram. */
export interface Series {
  record(ms: number): void;
}

/** A histogram of times, by labels. */
export interface LatencyHistogram {
  /** The series of these label values; keep it, it is looked up by text. */
  series(...values: readonly string[]): Series;
}

interface Counts {
  readonly values: readonly string[];
  readonly counts: Float64Array;
  sum: number;
}

/**
 * A Prometheus histogram whose `record` costs some tens of nanoseconds: it runs for each ACK of each proxy,
 * and prom-client's own, which looks its labels up each time, takes a microsecond. Given in milliseconds,
 * shown in seconds. At most `seriesMax` series are kept: what comes after them counts as `other` in every
 * label.
 */
export function createLatencyHistogram(
  registry: Registry,
  options: {
    readonly name: string;
    readonly help: string;
    readonly labels: readonly string[];
    readonly seriesMax?: number;
  },
): LatencyHistogram {
  const { name, help, labels, seriesMax = 256 } = options;
  const limitsMs = latencyBuckets.map((seconds) => seconds * 1000);
  const all = new Map<string, Counts & Series>();

  function make(values: readonly string[]): Counts & Series {
    const counts = new Float64Array(limitsMs.length + 1);
    return {
      values,
      counts,
      sum: 0,
      record(ms) {
        let bucket = 0;
        while (bucket < limitsMs.length && ms > (limitsMs[bucket] as number)) bucket += 1;
        counts[bucket] = (counts[bucket] as number) + 1;
        this.sum += ms;
      },
    };
  }

  const get = async () => ({
    name,
    help,
    type: 'histogram' as const,
    aggregator: 'sum' as const,
    values: [...all.values()].flatMap(({ values, counts, sum }) => {
      const own = Object.fromEntries(labels.map((label, index) => [label, values[index] ?? '']));
      let total = 0;
      const buckets = latencyBuckets.map((le, index) => {
        total += counts[index] as number;
        return { metricName: `${name}_bucket`, labels: { ...own, le }, value: total };
      });
      total += counts[limitsMs.length] as number;
      return [
        ...buckets,
        { metricName: `${name}_bucket`, labels: { ...own, le: '+Inf' }, value: total },
        { metricName: `${name}_sum`, labels: own, value: sum / 1000 },
        { metricName: `${name}_count`, labels: own, value: total },
      ];
    }),
  });
  // What prom-client asks of a metric is a name and `get`; its type names its own classes only.
  registry.registerMetric({ name, get } as unknown as Parameters<Registry['registerMetric']>[0]);

  return {
    series(...values) {
      const key = values.join('\0');
      const known = all.get(key);
      if (known !== undefined) return known;
      if (all.size >= seriesMax && values.some((value) => value !== 'other'))
        return this.series(...values.map(() => 'other'));
      const made = make(values);
      all.set(key, made);
      return made;
    },
  };
}
