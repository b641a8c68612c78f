/** Names of an Envoy's secrets, and the files of a folder of trust that have them (file-based SDS). */
export const secretFiles = {
  identity: { name: 'identity', file: 'identity.json' },
  trust: { name: 'trust', file: 'trust.json' },
} as const;
