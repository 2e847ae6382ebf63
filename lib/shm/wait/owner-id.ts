/** The bits of a word with the id of the owner of a lock, or of a place in a channel: 0 to 28. An id of 0: no owner. docs/abi.md */
export const ID = 0x1fff_ffff;
