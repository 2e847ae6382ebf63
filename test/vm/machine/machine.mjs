// The machine as QEMU is told of it. Everything is emulated (TCG), so that it runs where there is
// no KVM, and so that the CPU is the same everywhere.
import { join } from 'node:path';

/**
 * Nodes 0 and 1 have a CPU each; 2 has memory only, as CXL memory looks; 3 has none until the
 * devdax NVDIMM is given to the driver kmem. GiB.
 */
const MEMORY = { amd64: [2, 2, 1], arm64: [2, 4, 1] };

/** Distances as sysfs shows them: [from, to, distance]. */
const DISTANCES = [[0, 1, 21], [0, 2, 31], [1, 2, 41]];
const DISTANCES_OF_3 = [[0, 3, 51], [1, 3, 51], [2, 3, 61]];

/** What ACPI says of a node's memory: nanoseconds, and MB/s. Nothing in the emulation follows it. */
const performance = (initiator, target) => {
  if (target === 2) return { latency: 300, bandwidth: 14_000 };
  return initiator === target ? { latency: 100, bandwidth: 18_000 } : { latency: 180, bandwidth: 16_400 };
};

const objects = (list) => list.flatMap((text) => ['-object', text]);
const numa = (list) => list.flatMap((text) => ['-numa', text]);
const distances = (list) => numa(list.map(([from, to, value]) => `dist,src=${from},dst=${to},val=${value}`));

function memory(architecture) {
  const sizes = MEMORY[architecture];
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return ['-m', `${total}G,slots=8,maxmem=32G`, ...objects(sizes.map((size, node) => `memory-backend-ram,id=m${node},size=${size}G`))];
}

function nodes(architecture) {
  const initiator = architecture === 'amd64' ? [',initiator=0', ',initiator=1', ',initiator=0'] : ['', '', ''];
  return [
    ...numa([
      `node,nodeid=0,memdev=m0,cpus=0${initiator[0]}`,
      `node,nodeid=1,memdev=m1,cpus=1${initiator[1]}`,
      `node,nodeid=2,memdev=m2${initiator[2]}`,
    ]),
    ...distances(DISTANCES),
  ];
}

/** Node 3, and what only ACPI can describe. */
function acpiNodes() {
  const hmat = [0, 1].flatMap((initiator) => [0, 1, 2].flatMap((target) => {
    const { latency, bandwidth } = performance(initiator, target);
    const pair = `hmat-lb,initiator=${initiator},target=${target},hierarchy=memory`;
    return [`${pair},data-type=access-latency,latency=${latency}`, `${pair},data-type=access-bandwidth,bandwidth=${bandwidth}M`];
  }));
  return [...numa(['node,nodeid=3,initiator=0']), ...distances(DISTANCES_OF_3), ...numa(hmat)];
}

/** Contents are copied on write: a machine begins with what buildDimms made. */
function dimms(folder) {
  const backend = (name, options) => `memory-backend-file,id=${name},share=off,mem-path=${join(folder, name)},size=256M${options}`;
  return [
    ...objects([backend('fsdax', ',align=2M'), backend('devdax', ',align=2M'), backend('virtio', '')]),
    '-device', 'nvdimm,id=nvdimm0,memdev=fsdax,node=0',
    '-device', 'nvdimm,id=nvdimm1,memdev=devdax,node=3',
    '-device', 'virtio-pmem-pci,id=pmem0,memdev=virtio',
  ];
}

const disk = (id, file, options) => [
  '-drive', `if=none,id=${id},format=raw,file=${file},cache=unsafe,${options}`,
  '-device', `virtio-blk-pci,drive=${id}`,
];

const port = (id, chardev) => ['-chardev', `${chardev},id=${id}`, '-device', `virtserialport,chardev=${id},name=${id}`];

/** [program, arguments] of a machine whose output is QEMU's stdout. The values are paths. */
export function qemu(name, architecture, { kernel, root, project, dimms: dimmsFolder, swap, status, console }) {
  const isX86 = architecture === 'amd64';
  const append = [
    `console=${isX86 ? 'ttyS0' : 'ttyAMA0'}`, 'quiet', 'panic=-1', 'oops=panic', 'mitigations=off', 'nowatchdog',
    'random.trust_cpu=on',
    // On the node named, where the kernel knows that form. Without CMA the arm64 one finds a GiB.
    'hugepagesz=1G', 'hugepages=1:1', ...(isX86 ? [] : ['cma=0']),
    `MEMMAP_VM=${name}`, // a name without a dot becomes a variable of init's environment
  ];
  return [isX86 ? 'qemu-system-x86_64' : 'qemu-system-aarch64', [
    '-M', isX86 ? 'q35,nvdimm=on,hmat=on' : 'virt,gic-version=3',
    '-accel', 'tcg,thread=multi,tb-size=256', '-cpu', 'max', '-smp', '2',
    ...memory(architecture), ...nodes(architecture), ...(isX86 ? [...acpiNodes(), ...dimms(dimmsFolder)] : []),
    '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-serial', `file:${console}`,
    '-kernel', join(kernel, 'vmlinuz'), '-initrd', join(kernel, 'initrd'), '-append', append.join(' '),
    ...disk('root', root, 'snapshot=on'), ...disk('swap', swap, 'snapshot=off'), ...disk('project', project, 'snapshot=on'),
    '-device', 'virtio-serial-pci', ...port('output', 'stdio,signal=off'), ...port('status', `file,path=${status}`),
  ]];
}
