// Disk images. A bundle of its own (scripts/build.mjs): the launch of a directory does not read it.

export { type ImageOptions, type OpenedMachineImage, openImage } from './open';
