import { type Framing, lengthFraming, lineFraming } from "@ipc/core/framing";

/** How both ends mark where a message ends: a length in front, or a newline behind. */
export const FRAMINGS = { length: lengthFraming, lines: lineFraming } as const satisfies Record<string, Framing>;

/** A framing that both ends know. */
export type FramingName = keyof typeof FRAMINGS;
