// The header of the file, read in place: nothing is copied but the numbers.
const CLASSES = { 1: '32-bit', 2: '64-bit' };
const TYPES = { 1: 'relocatable', 2: 'executable', 3: 'position-independent', 4: 'core' };
const MACHINES = { 3: 'x86', 40: 'arm', 62: 'x86-64', 183: 'arm64', 243: 'RISC-V' };

export function describeHeader(file) {
  const first = file.bytes.subarray(0, 16);
  const rows = [
    ['Field', 'Offset', 'Value'],
    ['bytes', '0', first.toString('hex').replaceAll(/(..)(?=.)/g, '$1 ')],
  ];
  if (file.length < 64 || first.readUInt32BE(0) !== 0x7f454c46) {
    return [...rows, ['kind', '0', 'not an ELF file']];
  }
  const littleEndian = first[5] === 1;
  const header = file.dataView({ offset: 0, length: 64 });
  const wide = first[4] === 2;
  const type = header.getUint16(16, littleEndian);
  const machine = header.getUint16(18, littleEndian);
  const entry = wide ? header.getBigUint64(24, littleEndian) : BigInt(header.getUint32(24, littleEndian));
  const sections = header.getUint16(wide ? 60 : 48, littleEndian);
  return [
    ...rows,
    ['class', '4', `ELF ${CLASSES[first[4]] ?? 'unknown'}, ${littleEndian ? 'little' : 'big'}-endian`],
    ['type', '16', TYPES[type] ?? String(type)],
    ['machine', '18', MACHINES[machine] ?? String(machine)],
    ['entry point', '24', `0x${entry.toString(16)}`],
    ['section headers', wide ? '60' : '48', String(sections)],
  ];
}
