/**
 * A DestinationRule that ejects instances of a drill's Group after three failures in a row, as Isthmus did
 * before it used the share of failures.
 */
export function failuresInARow(group: string): object {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: `${group}-failures-in-a-row`, namespace: 'shop' },
    spec: {
      host: `${group}.shop`,
      trafficPolicy: {
        outlierDetection: {
          ...{ consecutive5xxErrors: 0, consecutiveGatewayErrors: 3 },
          ...{ interval: '0.5s', baseEjectionTime: '30s', maxEjectionPercent: 100 },
        },
      },
    },
  };
}
