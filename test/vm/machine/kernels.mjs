// The kernels that can be booted: where Debian has each, and what it is for.
//
// `release`: whose archive has it; undefined is the release of this machine. `meta`: the package
// that depends on the newest of that line, so that nothing is pinned and point releases move
// along. `gating`: a failure fails the run; the others are reported. `seconds`: how long the whole
// machine may live.
const X86 = { architecture: 'amd64', seconds: 900 };

export const KERNELS = {
  // The cloud flavours boot in half the time. That of 6.1 lacks CONFIG_MEMORY_FAILURE.
  '6.1': { ...X86, meta: 'linux-image-cloud-amd64', gating: true },
  '6.12': { ...X86, meta: 'linux-image-6.12-cloud-amd64', gating: true },
  '5.10': { ...X86, release: 'bullseye-security', meta: 'linux-image-cloud-amd64' },
  newest: { ...X86, release: 'trixie-backports', meta: 'linux-image-cloud-amd64' },
  // Pages of 16 KiB. No ACPI, so no NVDIMM.
  'arm64-16k': { architecture: 'arm64', seconds: 1800, meta: 'linux-image-6.12-arm64-16k' },
};

/** Loaded at boot with what they depend on; one that a kernel has built in, or lacks, is left out. */
export const MODULES = [
  'virtio_pci', 'virtio_mmio', 'virtio_blk', 'virtio_console', 'crc32c_generic', 'crc32c', 'ext4',
  'nfit', 'nd_pmem', 'virtio_pmem', 'device_dax', 'dax_pmem', 'kmem',
  'lzo', 'lzo-rle', 'zram',
];

/** What `npm run test:vm` boots when it is not told. */
export const GATING = Object.keys(KERNELS).filter((name) => KERNELS[name].gating);
