/** Architectures as the kernel calls them, by the names that ingot uses, which are Debian's. */
export const MACHINES: Readonly<Record<string, string>> = { amd64: 'x86_64', arm64: 'aarch64' };
