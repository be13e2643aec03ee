// Numbers of Linux that Node does not name.

/** A descriptor for the place, not for its content. */
export const O_PATH = 0x200000;
