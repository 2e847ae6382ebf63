/** The id of whoever owns a lock, or a place in a channel: bits 0 to 28 of a word. 0 is nobody. docs/abi.md */
export const ID = 0x1fff_ffff;
