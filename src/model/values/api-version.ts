/** The API version of Isthmus's own kinds. */
export const ownApiVersion = 'isthmus.dev/v1alpha1';

/** The kind of a control plane's own configuration: of the same version, and no object of a registry. */
export const configKind = 'ControlPlaneConfig';
